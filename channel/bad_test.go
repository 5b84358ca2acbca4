package channel_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// hostile are bodies that no handler may get to see, whatever its type, by what is wrong with them.
var hostile = map[string]string{
	"10,000 arrays in one another": strings.Repeat("81", 10_000) + "01",
	"10,000 maps in one another":   strings.Repeat("a101", 10_000) + "01",
	"10,000 tags in one another":   strings.Repeat("c6", 10_000) + "01",
	"10,000 arrays in a field":     "a1656f74686572" + strings.Repeat("81", 10_000) + "01",
	"2^32 elements":                "9affffffff",
	"2^32 elements, behind more":   "82019b0000000100000000",
	"2^32 pairs":                   "bb0000000100000000",
	"2^32 bytes":                   "5b0000000100000000",
	"2^32 bytes of text":           "7b0000000100000000",
	"invalid UTF-8":                "61ff",
	"invalid UTF-8 in a field":     "a1656f7468657261ff",
	"invalid UTF-8 as a key":       "a161ff01",
	"NaN as a key":                 "a1f97e0001",
	"two NaNs as keys":             "a2fb7ff800000000000101fb7ff800000000000102",
	"equal keys":                   "a2614101614102",
	"indefinite array":             "9f01ff",
	"indefinite map":               "bf614101ff",
	"indefinite text":              "7f6161ff",
	"indefinite bytes":             "5f4161ff",
	"nothing":                      "",
	"two values":                   "0101",
}

type everything struct {
	A int
	B bool
	F float64
	S string
	D []byte
	L []everything
	M map[string]everything
	K map[float64]int
	T time.Time
	P *everything
	V any
}

func TestHostileBodiesReachNoHandler(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	var events []channel.ErrorEvent
	mux.OnError(func(e channel.ErrorEvent) { events = append(events, e) })
	refuse[int](t, &mux, "int")
	refuse[string](t, &mux, "string")
	refuse[[]byte](t, &mux, "bytes")
	refuse[[]int](t, &mux, "list")
	refuse[map[string]int](t, &mux, "map")
	refuse[map[float64]int](t, &mux, "keys")
	refuse[everything](t, &mux, "struct")
	refuse[any](t, &mux, "any")
	refuse[map[any]any](t, &mux, "any-keys")
	for what, in := range hostile {
		body, err := hex.DecodeString(in)
		require.NoError(t, err, what)
		for _, name := range refusing {
			events = nil
			m := &channel.Message{Channel: name, Body: body, Encoding: channel.CBOR}
			require.NoError(t, conn.SendMessage(t.Context(), m))
			_, err = conn.RequestMessage(t.Context(), m)
			assert.Equal(t, &channel.Error{Code: channel.CodeBadMessage, Text: "not a value that is expected", Remote: true}, err,
				"%s to %s: the sender learns that, and nothing of our types", what, name)
			require.Len(t, events, 2, "%s to %s", what, name)
			for _, e := range events {
				var de *channel.DecodeError
				require.ErrorAs(t, e.Err, &de)
				assert.Equal(t, name, de.Channel)
				assert.Equal(t, "loop", de.From.Name)
				assert.Error(t, de.Err)
				assert.Less(t, len(de.Error()), 600)
				assert.Equal(t, name, e.Message.Channel)
				assert.Same(t, conn, e.Conn)
			}
		}
	}
	assert.Empty(t, conn.logged, "what the hook was told is not logged too")
}

var refusing = []string{"int", "string", "bytes", "list", "map", "keys", "struct", "any", "any-keys"}

// refuse registers a handler that must not be called.
func refuse[T any](t *testing.T, mux *channel.Mux, name string) {
	channel.Of[T](name).Handle(mux, func(_ context.Context, _ channel.Conn, v T) error {
		t.Errorf("%s got %#v", name, v)
		return nil
	})
}

// The memory that a decoder takes is in proportion to what came, whatever the bytes say.
func TestHostileBodiesTakeNoMemory(t *testing.T) {
	for what, in := range hostile {
		body, err := hex.DecodeString(in)
		require.NoError(t, err, what)
		for _, v := range []any{new(everything), new(any), new([]everything), new(map[string]everything), new([]int)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := (&channel.Message{Body: body, Encoding: channel.CBOR}).Decode(v)
			runtime.ReadMemStats(&after)
			assert.Error(t, err, what)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "%s into %T", what, v)
		}
	}
}

// Null stands for a value only of types that have it: a handler of numbers or structs is not called
// with zeros that nobody sent.
func TestNullIsNoValueOfAStruct(t *testing.T) {
	for _, v := range []any{new(everything), new(struct{}), new([2]int), new(bool), new(uint8), new(string), new(float64)} {
		for _, null := range []string{"f6", "f7"} {
			assert.ErrorIs(t, body(t, null).Decode(v), channel.CodeBadMessage, "%T", v)
		}
	}
}

// Equal keys are refused also where no field takes them: another program could read another thing from the same bytes.
func TestEqualKeysThatNoFieldTakes(t *testing.T) {
	err := body(t, "a2 6162 01 6162 02").Decode(new(struct{ A int }))
	assert.ErrorIs(t, err, channel.CodeBadMessage)
}

func TestDecodeErrorSaysWhoAndWhere(t *testing.T) {
	m := body(t, "6161")
	m.Channel, m.From = "grade", &channel.Peer{Name: "bob"}
	_, err := channel.Of[int]("grade").Decode(m)
	assert.ErrorContains(t, err, `on channel "grade" from "bob": bad message: `)
	assert.ErrorContains(t, err, "int")
	assert.ErrorIs(t, err, channel.CodeBadMessage)

	m.Channel, m.From = nasty, &channel.Peer{Name: nasty}
	_, err = m.Value()
	require.NoError(t, err)
	m.Body = bytes.Repeat([]byte{0x81}, 40)
	_, err = m.Value()
	require.Error(t, err)
	for _, bad := range []string{"\x1b", "\n", "\u202e", "\xff"} {
		assert.NotContains(t, err.Error(), bad)
	}

	err = (&channel.DecodeError{Channel: "a", Err: channel.CodeBadMessage}).Unwrap()
	assert.Equal(t, &channel.Error{Code: channel.CodeBadMessage, Text: "not a value that is expected"}, err)
}

// FuzzTyped decodes any bytes into types. What is taken must come through an encoding and another
// decoding as the same bytes.
func FuzzTyped(f *testing.F) {
	for what, in := range hostile {
		b, err := hex.DecodeString(in)
		require.NoError(f, err, what)
		f.Add(b)
	}
	for _, in := range []string{
		"f6", "01", "6161", "a0", "a1614101", "a16142f5", "a16146fb7ff0000000000001", "a1614681f97e00", "a1615361", "a161534161",
		"a1614442ff00", "a1614c81a1614102",
		"a1614da16161a1614102", "a1614ba1f97c0001", "a16154c11a514b67b0",
		"a1615478" + "14" + hex.EncodeToString([]byte("2026-03-04T05:06:07Z")), "a16150a16150f6",
		"a1615681a18000", "a16156a1f5c249010000000000000000", "a16158d8646161", "a16141c24105", "82a0a0", "a16161a0",
	} {
		b, err := hex.DecodeString(in)
		require.NoError(f, err, in)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzOf[everything](t, b)
		fuzzOf[[]everything](t, b)
		fuzzOf[map[string]float64](t, b)
		fuzzOf[[]uint16](t, b)
		fuzzOf[string](t, b)
	})
}

func fuzzOf[T any](t *testing.T, b []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v, err := channel.Of[T]("fuzz").Decode(&channel.Message{Channel: "fuzz", Body: b, Encoding: channel.CBOR})
	runtime.ReadMemStats(&after)
	// An element of a list costs most, as the list grows; the rest is for what else the process does.
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(2048*len(b)+8<<20) {
		t.Fatalf("%d bytes took %d as %T", len(b), used, v)
	}
	if err != nil {
		var de *channel.DecodeError
		require.ErrorAs(t, err, &de)
		require.ErrorIs(t, err, channel.CodeBadMessage)
		return
	}
	once, err := channel.Marshal(v)
	if err != nil {
		require.ErrorIs(t, err, channel.CodeBadMessage) // a *big.Int, or a time, that is taken but not made
		return
	}
	again, err := channel.Of[T]("fuzz").Decode(&channel.Message{Body: once, Encoding: channel.CBOR})
	require.NoError(t, err)
	twice, err := channel.Marshal(again)
	require.NoError(t, err)
	require.Equal(t, once, twice)
}
