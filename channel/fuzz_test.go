package channel_test

import (
	"encoding/hex"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// FuzzValue decodes any bytes. What is taken must come through an encoding and another decoding as it is.
func FuzzValue(f *testing.F) {
	for _, s := range []string{
		"f6", "f5", "1bffffffffffffffff", "3b7fffffffffffffff", "c249010000000000000000", "fb7ff8000000000001", "62c3a9", "4200ff",
		"8301616180", "a26161016162a10102", "a3f500f601f9380002", "c11a514b67b0", "c1fb41d452d9ec200000", "a1f97e0001", "a1d8648001",
		"9affffffff", "bb8000000000000000", "a26161016161", "5f4161ff", "a1818001", "a1c10001", "d86401",
		"fb7ff0000000000001", "fbffffffffffffffff", "fa7f800001", "fa7fc00001", "f97d01", "fa80000000", "f98000", "fbfff0000000000000",
		"9b0000000100000000", "a2fb7ff800000000000101fb7ff800000000000102", "61ff", "a161ff01", "bf01ff", "7f6161ff",
		strings.Repeat("81", 10_000) + "01", strings.Repeat("a101", 10_000) + "01", strings.Repeat("c6", 10_000) + "01",
		"c074" + hex.EncodeToString([]byte("2026-03-04T05:06:07Z")),
		"c078" + "19" + hex.EncodeToString([]byte("0000-01-01T00:00:00+23:59")),
	} {
		b, err := hex.DecodeString(s)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v, err := (&channel.Message{Body: b, Encoding: channel.CBOR}).Value()
		runtime.ReadMemStats(&after)
		// An empty map, of one byte, takes most: two maps, and room for them in an array. The rest
		// is for what else the process does.
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(1024*len(b)+8<<20) {
			t.Fatalf("%d bytes took %d", len(b), used)
		}
		if err != nil {
			require.ErrorIs(t, err, channel.CodeBadMessage)
			require.Nil(t, v)
			return
		}
		m, err := channel.Of[any]("fuzz").Message(v)
		require.NoError(t, err)
		again, err := m.Value()
		require.NoError(t, err)
		require.True(t, equal(v, again), "%#v\n%#v", v, again)
	})
}

// equal compares what Value gives. A NaN is a NaN, and a time is a time in whatever zone.
func equal(a, b any) bool {
	switch a := a.(type) {
	case []byte:
		b, ok := b.([]byte)
		return ok && string(a) == string(b)
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && equalMaps(a, b)
	case map[any]any:
		b, ok := b.(map[any]any)
		return ok && equalMaps(a, b)
	}
	return a == b
}

func equalMaps[K comparable](a, b map[K]any) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		w, ok := b[k]
		if !ok || !equal(v, w) {
			return false
		}
	}
	return true
}
