package channel_test

import (
	"testing"

	"github.com/pysock/pysock/channel"
)

type reading struct {
	Sensor string
	Seq    uint64
	Value  float64
	Tags   []string
}

var sample = reading{Sensor: "north", Seq: 12345, Value: 21.37, Tags: []string{"a", "b"}}

func BenchmarkEncode(b *testing.B) {
	readings := channel.Of[reading]("readings")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readings.Message(sample); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	readings := channel.Of[reading]("readings")
	m, err := readings.Message(sample)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readings.Decode(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValue(b *testing.B) {
	m, err := channel.Of[reading]("readings").Message(sample)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Value(); err != nil {
			b.Fatal(err)
		}
	}
}
