package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (v helloVector) hello() Hello {
	h := Hello{
		Transient: v.Transient, Features: v.Features, MaxMessage: v.MaxMessage, Name: v.Wanted,
		Instance: [IDSize]byte(v.Instance),
	}
	if len(v.Groups) > 0 {
		h.Groups = v.Groups
	}
	if k := v.Token; k != nil {
		h.Resume = &Token{
			Anew: k.Anew, Session: [IDSize]byte(k.Session), Attempt: k.Attempt, Position: k.Position,
			Proof: [ProofSize]byte(k.Proof),
		}
	}
	return h
}

func TestHelloVectors(t *testing.T) {
	for _, v := range readVectors(t).Hellos {
		want := v.hello()
		got, err := ParseHello(v.Bytes)
		require.NoError(t, err, v.Name)
		assert.Equal(t, want, got, v.Name)

		b, err := want.Append([]byte("before"))
		require.NoError(t, err, v.Name)
		assert.Equal(t, "before"+string(v.Bytes), string(b), v.Name)
		assert.LessOrEqual(t, len(v.Bytes), MaxHello, v.Name)

		for n := range v.Bytes {
			_, err := ParseHello(v.Bytes[:n])
			requireError(t, err, CodeProtocol)
		}
		_, err = ParseHello(append(bytes.Clone(v.Bytes), 0))
		requireError(t, err, CodeProtocol)
	}
}

func TestBadHelloVectors(t *testing.T) {
	for _, v := range readVectors(t).BadHellos {
		t.Run(v.Name, func(t *testing.T) {
			_, err := ParseHello(v.input())
			requireError(t, err, v.Code)
		})
	}
	_, err := ParseHello(make([]byte, MaxHello+1))
	requireError(t, err, CodeProtocol)
	assert.EqualError(t, err, "wire: hello: it is too long")
}

// TestHelloAliasesNothing changes the bytes that a hello was read from.
func TestHelloAliasesNothing(t *testing.T) {
	for _, v := range readVectors(t).Hellos {
		b := bytes.Clone(v.Bytes)
		h, err := ParseHello(b)
		require.NoError(t, err)
		for i := range b {
			b[i] ^= 0xff
		}
		assert.Equal(t, v.hello(), h, v.Name)
	}
}

// TestHelloEveryFlag tries all 256 flags bytes on each good hello, and all of a token's.
func TestHelloEveryFlag(t *testing.T) {
	for _, v := range readVectors(t).Hellos {
		require.Equal(t, 2, acceptedFlags(t, v.Bytes, 0, requireIdenticalHello), v.Name)
		if v.Token != nil {
			require.Equal(t, 2, acceptedFlags(t, v.Bytes, len(v.Bytes)-TokenSize, requireIdenticalHello), v.Name)
		}
	}
}

// TestHelloTokenLength gives every length to the token, with as many bytes behind it.
func TestHelloTokenLength(t *testing.T) {
	h := Hello{Features: FeatureResume, MaxMessage: MinMaxMessage}
	b, err := h.Append(nil)
	require.NoError(t, err)
	b = b[:len(b)-2]
	for n := range MaxHello - len(b) - 2 {
		token := bytes.Repeat([]byte{1}, n)
		got, ok := requireIdenticalHello(t, append(append(bytes.Clone(b), byte(n>>8), byte(n)), token...))
		require.Equal(t, n == 0 || n == TokenSize, ok, "%d bytes", n)
		require.Equal(t, n == TokenSize, got.Resume != nil)
	}
}

func TestHelloAppendRefuses(t *testing.T) {
	many := make([]string, MaxGroups+1)
	for i := range many {
		many[i] = strings.Repeat("g", i+1)
	}
	for _, c := range []struct {
		name string
		code uint16
		h    Hello
	}{
		{"max message 0", CodeProtocol, Hello{}},
		{"max message", CodeProtocol, Hello{MaxMessage: MaxMaxMessage + 1}},
		{"groups", CodeProtocol, Hello{MaxMessage: MinMaxMessage, Groups: many}},
		{"order", CodeProtocol, Hello{MaxMessage: MinMaxMessage, Groups: []string{"b", "a"}}},
		{"token without the feature", CodeProtocol, Hello{MaxMessage: MinMaxMessage, Features: ^uint32(FeatureResume),
			Resume: &Token{Attempt: 1}}},
		{"attempt 0", CodeProtocol, Hello{MaxMessage: MinMaxMessage, Features: FeatureResume, Resume: &Token{}}},
		{"name", CodeBadName, Hello{MaxMessage: MinMaxMessage, Name: strings.Repeat("n", MaxName+1)}},
		{"group", CodeBadName, Hello{MaxMessage: MinMaxMessage, Groups: []string{"\xff"}}},
		{"empty group", CodeBadName, Hello{MaxMessage: MinMaxMessage, Groups: []string{""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.h.Append([]byte("before"))
			requireError(t, err, c.code)
			assert.Equal(t, "before", string(b))
		})
	}
}

func FuzzHello(f *testing.F) {
	v := readVectors(f)
	for _, s := range v.Hellos {
		f.Add([]byte(s.Bytes))
	}
	for _, s := range v.BadHellos {
		f.Add(s.input())
	}
	f.Fuzz(func(t *testing.T, b []byte) { requireIdenticalHello(t, b) })
}

// FuzzToken takes any bytes for a token, behind a hello and a length that fit.
func FuzzToken(f *testing.F) {
	for _, s := range readVectors(f).Hellos {
		if s.Token != nil {
			f.Add([]byte(s.Bytes[len(s.Bytes)-TokenSize:]))
		}
	}
	h := Hello{Features: FeatureResume, MaxMessage: MinMaxMessage}
	before, err := h.Append(nil)
	require.NoError(f, err)
	before = before[:len(before)-2]
	f.Fuzz(func(t *testing.T, token []byte) {
		if len(token) == 0 || len(token) >= 1<<16 {
			return
		}
		b := append(bytes.Clone(before), byte(len(token)>>8), byte(len(token)))
		h, ok := requireIdenticalHello(t, append(b, token...))
		if ok && len(token) != TokenSize {
			t.Fatalf("a token of %d bytes: %+v", len(token), h.Resume)
		}
	})
}

// requireIdenticalHello decodes b, and if it is accepted encodes it again.
func requireIdenticalHello(tb testing.TB, b []byte) (Hello, bool) {
	tb.Helper()
	h, err := ParseHello(b)
	if e := (*Error)(nil); errors.As(err, &e) && e.Code == CodeBadName {
		requireError(tb, err, CodeBadName)
		return h, false
	}
	if err != nil {
		requireError(tb, err, CodeProtocol)
		return h, false
	}
	got, err := h.Append(nil)
	if err != nil || !bytes.Equal(b, got) {
		tb.Fatalf("%+v is encoded in another way: %x, %v", h, got, err)
	}
	return h, true
}

// acceptedFlags puts all 256 values at b[i] and counts those that parse accepts.
func acceptedFlags[T any](tb testing.TB, b []byte, i int, parse func(testing.TB, []byte) (T, bool)) int {
	tb.Helper()
	n := 0
	for flags := range 256 {
		b := bytes.Clone(b)
		b[i] = byte(flags)
		if _, ok := parse(tb, b); ok {
			n++
		}
	}
	return n
}
