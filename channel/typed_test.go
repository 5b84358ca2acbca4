package channel_test

import (
	"context"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

type inner struct {
	Label string `cbor:"label"`
	At    time.Time
}

type outer struct {
	Name  string `cbor:"name"`
	Count int    `json:"count"`
	Score float64
	Blob  []byte
	Inner inner
	Next  *outer
	Tags  map[string][]inner
}

// roundTrip sends v to a handler, and as a request that is answered with itself; both times it must arrive as it was.
func roundTrip[T any](t *testing.T, name string, v T) {
	t.Helper()
	roundTripAs(t, name, v, func(t *testing.T, got T) { assert.Equal(t, v, got) })
}

func roundTripAs[T any](t *testing.T, name string, v T, same func(t *testing.T, got T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		var mux channel.Mux
		conn := &loop{mux: &mux}
		values := channel.Of[T]("values")
		require.Equal(t, "values", values.Name())
		var got []T
		values.Handle(&mux, func(_ context.Context, _ channel.Conn, v T) error {
			got = append(got, v)
			return nil
		})
		channel.Respond(&mux, "echo", func(_ context.Context, _ channel.Conn, v T) (T, error) { return v, nil })

		require.NoError(t, values.Send(t.Context(), conn, v))
		require.Empty(t, conn.logged)
		require.Len(t, got, 1)
		same(t, got[0])
		assert.Equal(t, channel.CBOR, conn.sent[0].Encoding)

		back, err := channel.Request[T](t.Context(), conn, "echo", v)
		require.NoError(t, err)
		same(t, back)

		m, err := values.Message(v)
		require.NoError(t, err)
		pulled, err := values.Decode(m)
		require.NoError(t, err)
		same(t, pulled)
	})
}

func TestValuesArriveAsTheyWere(t *testing.T) {
	roundTrip(t, "true", true)
	roundTrip(t, "false", false)
	roundTrip(t, "zero", 0)
	roundTrip(t, "int", -12)
	roundTrip(t, "least int64", int64(math.MinInt64))
	roundTrip(t, "largest uint64", uint64(math.MaxUint64))
	roundTrip(t, "int8", int8(-128))
	roundTrip(t, "third", 1.0/3)
	roundTrip(t, "pi", math.Pi)
	roundTrip(t, "least float", math.SmallestNonzeroFloat64)
	roundTrip(t, "largest float", math.MaxFloat64)
	roundTrip(t, "whole float", 12.0)
	roundTrip(t, "infinity", math.Inf(-1))
	roundTrip(t, "empty string", "")
	roundTrip(t, "string", "héllo, 世界\x00\n")
	roundTrip(t, "bytes", []byte{0, 255, 1})
	roundTrip(t, "no bytes", []byte{})
	roundTrip(t, "array", [3]int{1, 2, 3})
	roundTrip(t, "byte array", [4]byte{1, 2, 3, 4})
	roundTrip(t, "nil pointer", (*int)(nil))
	roundTrip(t, "pointer", new(7))
	roundTrip(t, "nil slice", []string(nil))
	roundTrip(t, "empty slice", []string{})
	roundTrip(t, "slice", [][]string{{"a"}, nil, {"b", "c"}})
	roundTrip(t, "nil map", map[string]int(nil))
	roundTrip(t, "map", map[string]map[int]bool{"a": {1: true, -2: false}, "": {}})
	roundTrip(t, "float keys", map[float64]string{0.5: "half", math.Inf(1): "all"})
	roundTrip(t, "set", map[string]struct{}{"a": {}, "b": {}})
	roundTrip(t, "list of anything", []any{nil, true, int64(-1), 0.5, "a", []byte{1}, []any{}, map[string]any{}})
	roundTrip(t, "struct", outer{
		Name: "a", Count: 3, Score: 0.1, Blob: []byte("x"), Inner: inner{Label: "i"},
		Next: &outer{Name: "b"}, Tags: map[string][]inner{"t": {{Label: "j"}}},
	})
	roundTrip(t, "empty struct", struct{}{})
	roundTrip(t, "text marshaler", netip.MustParseAddr("192.0.2.1"))
	roundTrip(t, "duration", 90*time.Second)
	roundTripAs(t, "big", new(big.Int).Lsh(big.NewInt(1), 70), func(t *testing.T, got *big.Int) {
		assert.Equal(t, "1180591620717411303424", got.String())
	})
}

func TestTimesArriveAsTheyWere(t *testing.T) {
	for name, at := range map[string]time.Time{
		"nanoseconds": time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC),
		"offset":      time.Date(2026, 3, 4, 5, 6, 7, 1, time.FixedZone("", 2*3600)),
		"epoch":       time.Unix(0, 0).UTC(),
		"before":      time.Date(1, 2, 3, 0, 0, 0, 0, time.UTC),
		"last":        time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		"zero":        {},
	} {
		roundTripAs(t, name, at, func(t *testing.T, got time.Time) {
			assert.True(t, at.Equal(got), "%v, got %v", at, got)
			_, want := at.Zone()
			_, offset := got.Zone()
			assert.Equal(t, want, offset)
		})
	}
}

func TestDynamicValuesArriveAsTheyWere(t *testing.T) {
	roundTrip[any](t, "nil", nil)
	roundTrip[any](t, "int64", int64(5))
	roundTrip[any](t, "uint64", uint64(math.MaxUint64))
	roundTrip[any](t, "text", "x")
	roundTrip[any](t, "nested", map[string]any{"a": []any{int64(1), 0.5, nil, true, []byte("b")}, "m": map[any]any{int64(1): "x"}})
	roundTrip(t, "map", map[string]any{"a": int64(1), "m": map[string]any{}})
	roundTrip(t, "keys", map[any]any{int64(1): map[string]any{"a": "b"}, uint64(math.MaxUint64): "x", 0.5: nil, true: 1.0, nil: "n"})
	roundTrip(t, "slice", []any{int64(1), []any{}, map[string]any{"a": uint64(1 << 63)}})
	roundTrip(t, "nil map", map[any]any(nil))
}

func TestBytesOfTheEncoding(t *testing.T) {
	for want, v := range map[string]any{
		"\xf9\x3c\x00":                         1.0,
		"\xfb\x3f\xb9\x99\x99\x99\x99\x99\x9a": 0.1,
		"\xa2\x61a\x01\x61b\x02":               map[string]int{"b": 2, "a": 1},
		"\xc0\x741970-01-01T00:00:00Z":         time.Unix(0, 0).UTC(),
		"\xf6":                                 nil,
		"\xfb\xff\xf8\x00\x00\x00\x00\x00\x01": math.Float64frombits(0xfff8_0000_0000_0001),
		"\xfa\x7f\xc0\x00\x01":                 math.Float32frombits(0x7fc0_0001),
	} {
		got, err := channel.Marshal(v)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	type list struct{ Next *list }
	var deep *list
	for range 40 {
		deep = &list{deep}
	}
	deepest := any(nil)
	for range 10_000 {
		deepest = []any{deepest}
	}
	for name, v := range map[string]any{
		"function":      func() {},
		"chan":          make(chan int),
		"invalid UTF-8": "a\xff",
		"in a key":      map[string]int{"\xff": 1},
		"NaN key":       map[float64]int{math.NaN(): 1},
		"too deep":      deep,
		"10,000 deep":   deepest,
		"too many":      make([]int8, 1<<20),
		"year":          time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			var mux channel.Mux
			conn := &loop{mux: &mux}
			err := channel.Of[any]("a").Send(t.Context(), conn, v)
			assert.ErrorIs(t, err, channel.CodeBadMessage)
			var e *channel.Error
			require.ErrorAs(t, err, &e)
			assert.False(t, e.Remote)

			_, err = channel.Request[int](t.Context(), conn, "a", v)
			assert.ErrorIs(t, err, channel.CodeBadMessage)
			assert.Empty(t, conn.sent)
		})
	}
}

func TestAHandlerIsNotCalledForWhatDoesNotDecode(t *testing.T) {
	type secretType struct{ SecretField int }
	var mux channel.Mux
	conn := &loop{mux: &mux}
	channel.Of[secretType]("typed").Handle(&mux, func(context.Context, channel.Conn, secretType) error {
		t.Error("called")
		return nil
	})
	channel.Respond(&mux, "respond", func(context.Context, channel.Conn, secretType) (int, error) {
		t.Error("called")
		return 0, nil
	})

	wrong := map[string]string{"SecretField": "text\x1b[2J"}
	require.NoError(t, channel.Of[map[string]string]("typed").Send(t.Context(), conn, wrong))
	require.Len(t, conn.logged, 1)
	var e *channel.Error
	require.ErrorAs(t, conn.logged[0], &e)
	assert.Equal(t, channel.CodeBadMessage, e.Code)
	assert.False(t, e.Remote)
	assert.NotContains(t, e.Text, "Secret", "what a handler's caller could pass on says nothing")
	var de *channel.DecodeError
	require.ErrorAs(t, conn.logged[0], &de)
	assert.Equal(t, "typed", de.Channel)
	assert.Equal(t, "loop", de.From.Name)
	assert.Contains(t, de.Error(), "SecretField", "the log says what is wrong")
	assert.NotContains(t, de.Error(), "\x1b")

	for _, name := range []string{"typed", "respond"} {
		_, err := channel.Request[int](t.Context(), conn, name, wrong)
		require.ErrorAs(t, err, &e)
		assert.Equal(t, channel.CodeBadMessage, e.Code)
		assert.True(t, e.Remote)
		assert.NotContains(t, strings.ToLower(e.Text), "secret", "the asker does not learn the types of this end")
	}
	assert.Len(t, conn.logged, 1)
}

func TestAnAnswerThatDoesNotDecodeIsALocalError(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	channel.Respond(&mux, "a", func(context.Context, channel.Conn, int) (string, error) { return "text", nil })
	mux.Handle("nothing", func(context.Context, channel.Conn, *channel.Message) error { return nil })
	for _, name := range []string{"a", "nothing"} {
		got, err := channel.Request[int](t.Context(), conn, name, 1)
		var e *channel.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, channel.CodeBadMessage, e.Code)
		assert.False(t, e.Remote)
		assert.Zero(t, got)
	}
}

func TestErrorsOfHandlersReachTheAsker(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	channel.Respond(&mux, "busy", func(context.Context, channel.Conn, int) (int, error) {
		return 0, &channel.Error{Code: channel.CodeBusy, Text: "later"}
	})
	channel.Of[int]("own").Handle(&mux, func(context.Context, channel.Conn, int) error { return channel.CodeApplication + 1 })
	_, err := channel.Request[int](t.Context(), conn, "busy", 1)
	assert.Equal(t, &channel.Error{Code: channel.CodeBusy, Text: "later", Remote: true}, err)
	_, err = channel.Request[int](t.Context(), conn, "own", 1)
	assert.ErrorIs(t, err, channel.Code(257))
	_, err = channel.Request[int](t.Context(), conn, "nobody", 1)
	assert.ErrorIs(t, err, channel.CodeNoHandler)
}

func TestAnAnswerThatCannotBeEncoded(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	channel.Respond(&mux, "a", func(context.Context, channel.Conn, int) (string, error) { return "secret\xff", nil })
	_, err := channel.Request[string](t.Context(), conn, "a", 1)
	assert.Equal(t, &channel.Error{Code: channel.CodeInternal, Text: "the answer cannot be encoded", Remote: true}, err)
	require.Len(t, conn.logged, 1, "what is wrong with it goes to the log of the end that made it")
	assert.ErrorIs(t, conn.logged[0], channel.CodeBadMessage)
}

func TestRespondTakesRequestsOnly(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	channel.Respond(&mux, "a", func(context.Context, channel.Conn, int) (int, error) {
		t.Error("called")
		return 0, nil
	})
	require.NoError(t, channel.Of[int]("a").Send(t.Context(), conn, 1))
	require.Len(t, conn.logged, 1)
	assert.ErrorIs(t, conn.logged[0], channel.ErrNotRequest)
}

func TestFieldsOfOtherVersions(t *testing.T) {
	type v1 struct{ A, B int }
	type v2 struct {
		A int
		C string
	}
	old, err := channel.Marshal(v1{1, 2})
	require.NoError(t, err)
	got, err := channel.Of[v2]("a").Decode(&channel.Message{Body: old, Encoding: channel.CBOR})
	require.NoError(t, err)
	assert.Equal(t, v2{A: 1}, got)

	lower, err := channel.Marshal(map[string]int{"a": 1})
	require.NoError(t, err)
	got, err = channel.Of[v2]("a").Decode(&channel.Message{Body: lower, Encoding: channel.CBOR})
	require.NoError(t, err)
	assert.Zero(t, got, "field names match in their exact case")
}
