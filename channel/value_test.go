package channel_test

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

func body(t testing.TB, s string) *channel.Message {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return &channel.Message{Body: b, Encoding: channel.CBOR}
}

func TestValue(t *testing.T) {
	for in, want := range map[string]any{
		"f6":                       nil,
		"f7":                       nil,
		"f4":                       false,
		"f5":                       true,
		"0c":                       int64(12),
		"20":                       int64(-1),
		"1b 7fffffffffffffff":      int64(math.MaxInt64),
		"1b 8000000000000000":      uint64(1 << 63),
		"1b ffffffffffffffff":      uint64(math.MaxUint64),
		"3b 7fffffffffffffff":      int64(math.MinInt64),
		"c2 41 05":                 int64(5),
		"c2 48 ffffffffffffffff":   uint64(math.MaxUint64),
		"c3 47 01000000000000":     int64(-1<<48 - 1),
		"f9 3c00":                  1.0,
		"fa 3f000000":              0.5,
		"fb 3fb999999999999a":      0.1,
		"60":                       "",
		"62 c3a9":                  "é",
		"40":                       []byte{},
		"42 00ff":                  []byte{0, 255},
		"80":                       []any{},
		"83 01 6161 80":            []any{int64(1), "a", []any{}},
		"a0":                       map[string]any{},
		"a1 6161 a1 6162 01":       map[string]any{"a": map[string]any{"b": int64(1)}},
		"a2 01 02 6161 03":         map[any]any{int64(1): int64(2), "a": int64(3)},
		"a1 1bffffffffffffffff 00": map[any]any{uint64(math.MaxUint64): int64(0)},
		"a3 f5 00 f6 01 f93800 02": map[any]any{true: int64(0), nil: int64(1), 0.5: int64(2)},
	} {
		got, err := body(t, in).Value()
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
}

func TestValueOfTimes(t *testing.T) {
	for in, want := range map[string]time.Time{
		"c0 74 " + hex.EncodeToString([]byte("2026-03-04T05:06:07Z")): time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		"c1 1a 514b67b0":          time.Unix(1363896240, 0),
		"c1 fb 41d452d9ec200000":  time.Unix(1363896240, 5e8),
		"c1 20":                   time.Unix(-1, 0),
		"81 c1 00":                time.Unix(0, 0),
		"a1 01 c1 1a 514b67b0 ":   time.Unix(1363896240, 0),
		"a1 6161 c1 1a 514b67b0 ": time.Unix(1363896240, 0),
	} {
		got, err := body(t, in).Value()
		require.NoError(t, err, in)
		switch v := got.(type) {
		case []any:
			got = v[0]
		case map[string]any:
			got = v["a"]
		case map[any]any:
			got = v[int64(1)]
		}
		require.IsType(t, time.Time{}, got, in)
		assert.True(t, want.Equal(got.(time.Time)), "%s: %v", in, got)
	}
}

func TestValueRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"equal text keys":           "a2 6161 01 6161 02",
		"equal number keys":         "a2 01 01 01 02",
		"equal, in other bytes":     "a2 01 01 1801 02",
		"positive and negative 0":   "a2 f90000 01 f98000 02",
		"equal keys deep down":      "81 a1 01 a2 6161 01 6161 02",
		"integer below int64":       "3b ffffffffffffffff",
		"integer above uint64":      "c2 49 010000000000000000",
		"big negative":              "c3 49 010000000000000000",
		"unknown tag":               "d8 64 01",
		"unknown tag within":        "81 d8 64 01",
		"unknown tag in a map":      "a1 6161 d8 64 01",
		"unknown tag by a number":   "a1 01 d8 64 01",
		"array as a key":            "a1 80 01",
		"bytes as a key":            "a1 4161 01",
		"map as a key":              "a1 a0 01",
		"time as a key":             "a1 c1 00 01",
		"big integer as a key":      "a1 c2 41 05 01",
		"tag of an array as a key":  "a1 d8 64 80 01",
		"tag as a key":              "a1 d8 64 01 01",
		"time that is text":         "c0 61 61",
		"time that is an array":     "c1 80",
		"time of type bytes":        "c0 41 61",
		"time beyond the years":     "c1 1b 00ffffffffffffff",
		"time in no year":           "c1 f97e00",
		"time before the years":     "c1 3b 00ffffffffffffff",
		"big integer that is text":  "c2 61 61",
		"big integer that is a map": "c3 a0",
	} {
		t.Run(name, func(t *testing.T) {
			m := body(t, in)
			v, err := m.Value()
			assert.ErrorIs(t, err, channel.CodeBadMessage)
			assert.Nil(t, v)

			for _, v := range []any{new(map[string]any), new(map[any]any), new([]any), new(any)} {
				assert.ErrorIs(t, m.Decode(v), channel.CodeBadMessage, "%T", v)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		into any
	}{
		"text as a number":       {"6161", new(int)},
		"number as text":         {"01", new(string)},
		"bytes as text":          {"4161", new(string)},
		"text as bytes":          {"6161", new([]byte)},
		"bool as a number":       {"f5", new(int)},
		"number as a bool":       {"01", new(bool)},
		"float as a number":      {"f93c00", new(int)},
		"300 as int8":            {"19012c", new(int8)},
		"-1 as uint":             {"20", new(uint)},
		"2^63 as int64":          {"1b8000000000000000", new(int64)},
		"null as a number":       {"f6", new(int)},
		"undefined as text":      {"f7", new(string)},
		"null as a bool":         {"f6", new(bool)},
		"null as a float":        {"f6", new(float64)},
		"map as a slice":         {"a0", new([]int)},
		"array as a map":         {"80", new(map[string]int)},
		"array as a struct":      {"8101", new(struct{ A int })},
		"array as a map of any":  {"80", new(map[string]any)},
		"number keys as text":    {"a1 01 02", new(map[string]any)},
		"equal keys":             {"a2 6161 01 6161 02", new(map[string]int)},
		"equal fields":           {"a2 6141 01 6141 02", new(struct{ A int })},
		"a time that is none":    {"61 61", new(time.Time)},
		"a time of another tag":  {"d8 64 00", new(time.Time)},
		"a wrong field":          {"a1 6141 6161", new(struct{ A int })},
		"a bad field, deep down": {"a1 6141 81 a1 6142 f5", new(struct{ A []struct{ B int } })},
	} {
		t.Run(name, func(t *testing.T) {
			err := body(t, c.in).Decode(c.into)
			var e *channel.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, channel.CodeBadMessage, e.Code)
			assert.False(t, e.Remote)
			assert.NotEmpty(t, e.Text)
		})
	}
}

// taker takes anything, null too.
type taker string

func (x *taker) UnmarshalCBOR(b []byte) error {
	*x = taker(hex.EncodeToString(b))
	return nil
}

func TestNullWhereTheTypeTakesIt(t *testing.T) {
	for _, v := range []any{new(*int), new([]int), new(map[string]int), new(any), new([]byte), new(time.Time), new(map[string]any)} {
		assert.NoError(t, body(t, "f6").Decode(v), "%T", v)
	}
	var x taker
	require.NoError(t, body(t, "f6").Decode(&x))
	assert.EqualValues(t, "f6", x)
}

func TestDecodeOfOtherEncodings(t *testing.T) {
	raw := &channel.Message{Body: []byte("12")}
	text := &channel.Message{Body: []byte("12"), Encoding: channel.Text}
	bad := &channel.Message{Body: []byte("\xff"), Encoding: channel.Text}
	unknown := &channel.Message{Body: []byte("\x01"), Encoding: 3}

	b, err := channel.Of[[]byte]("a").Decode(raw)
	require.NoError(t, err)
	assert.Same(t, &raw.Body[0], &b[0], "the body itself")
	s, err := channel.Of[string]("a").Decode(text)
	require.NoError(t, err)
	assert.Equal(t, "12", s)
	v, err := channel.Of[any]("a").Decode(raw)
	require.NoError(t, err)
	assert.Equal(t, []byte("12"), v)
	v, err = text.Value()
	require.NoError(t, err)
	assert.Equal(t, "12", v)

	_, err = channel.Of[string]("a").Decode(raw)
	assert.ErrorIs(t, err, channel.CodeBadMessage)
	_, err = channel.Of[[]byte]("a").Decode(text)
	assert.ErrorIs(t, err, channel.CodeBadMessage)
	for _, m := range []*channel.Message{raw, text, bad, unknown} {
		_, err = channel.Of[int]("a").Decode(m)
		assert.ErrorIs(t, err, channel.CodeBadMessage)
		assert.ErrorIs(t, m.Decode(new(map[string]any)), channel.CodeBadMessage)
	}
	for _, m := range []*channel.Message{bad, unknown} {
		_, err = channel.Of[string]("a").Decode(m)
		assert.ErrorIs(t, err, channel.CodeBadMessage)
		v, err = m.Value()
		assert.ErrorIs(t, err, channel.CodeBadMessage)
		assert.Nil(t, v)
	}
}

func TestDecodeWantsAPointer(t *testing.T) {
	for _, v := range []any{nil, 1, "", (*int)(nil), map[string]any{}} {
		err := body(t, "01").Decode(v)
		require.Error(t, err, "%T", v)
		assert.NotErrorIs(t, err, channel.CodeBadMessage, "it is not the message that is bad")
	}
}

func TestDecodeStartsAnew(t *testing.T) {
	v := map[string]any{"old": make(chan int)}
	require.NoError(t, body(t, "a1 6161 01").Decode(&v))
	assert.Equal(t, map[string]any{"a": int64(1)}, v)
}

func TestErrorTextsHoldNothingThatATerminalObeys(t *testing.T) {
	key := hex.EncodeToString([]byte("\x1b[2J"))
	for _, c := range []struct {
		in   string
		into any
	}{
		{"a2 64" + key + " 01 64" + key + " 02", new(map[string]int)},
		{"64" + key, new(time.Time)},
		{"c0 69 323032362d" + key, new(time.Time)},
		{"c0 69 323032362d" + key, new(any)},
		{"79 1000" + strings.Repeat("41", 4096), new(time.Time)},
		{"79 1002" + strings.Repeat("c3a9", 2049), new(time.Time)},
	} {
		err := body(t, c.in).Decode(c.into)
		require.ErrorIs(t, err, channel.CodeBadMessage)
		assert.NotContains(t, err.Error(), "\x1b")
		assert.Less(t, len(err.Error()), 600)
	}
}
