package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (v helloVector) hello() Hello {
	h := Hello{Transient: v.Transient, Features: v.Features, MaxMessage: v.MaxMessage, Name: v.Wanted}
	if len(v.Groups) > 0 {
		h.Groups = v.Groups
	}
	if len(v.Token) > 0 {
		h.Token = v.Token
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

func TestHelloTokenAliases(t *testing.T) {
	want := Hello{MaxMessage: MinMaxMessage, Token: []byte("token")}
	b, err := want.Append(nil)
	require.NoError(t, err)
	h, err := ParseHello(b)
	require.NoError(t, err)
	b[len(b)-1] = 'N'
	assert.Equal(t, "tokeN", string(h.Token))
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
		{"token", CodeProtocol, Hello{MaxMessage: MinMaxMessage, Token: make([]byte, MaxToken+1)}},
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

func TestWelcomeVectors(t *testing.T) {
	v := readVectors(t)
	for _, v := range v.Welcomes {
		want := Welcome{v.Features, v.MaxMessage, v.Bound}
		got, err := ParseWelcome(v.Bytes)
		require.NoError(t, err, v.Name)
		assert.Equal(t, want, got, v.Name)

		b, err := want.Append([]byte("before"))
		require.NoError(t, err, v.Name)
		assert.Equal(t, "before"+string(v.Bytes), string(b), v.Name)

		for n := range v.Bytes {
			_, err := ParseWelcome(v.Bytes[:n])
			requireError(t, err, CodeProtocol)
		}
	}
	for _, v := range v.BadWelcomes {
		t.Run(v.Name, func(t *testing.T) {
			_, err := ParseWelcome(v.Bytes)
			requireError(t, err, v.Code)
		})
	}
}

func TestWelcomeAppendRefuses(t *testing.T) {
	for _, w := range []Welcome{{}, {MaxMessage: MaxMaxMessage + 1}, {MaxMessage: MinMaxMessage, Name: "\xff"}} {
		b, err := w.Append([]byte("before"))
		requireError(t, err, CodeProtocol)
		assert.Equal(t, "before", string(b))
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
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHello(b)
		if err != nil {
			return
		}
		got, err := h.Append(nil)
		if err != nil || !bytes.Equal(b, got) {
			t.Fatalf("%+v is encoded in another way: %x, %v", h, got, err)
		}
	})
}

func FuzzWelcome(f *testing.F) {
	v := readVectors(f)
	for _, s := range v.Welcomes {
		f.Add([]byte(s.Bytes))
	}
	for _, s := range v.BadWelcomes {
		f.Add(s.input())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := ParseWelcome(b)
		if err != nil {
			return
		}
		got, err := w.Append(nil)
		if err != nil || !bytes.Equal(b, got) {
			t.Fatalf("%+v is encoded in another way: %x, %v", w, got, err)
		}
	})
}
