package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFrameVectors(t *testing.T) {
	seen := map[Type]bool{}
	for _, v := range readVectors(t).Frames {
		t.Run(v.Name, func(t *testing.T) {
			want := Header{typeOf(t, v.Type), v.Flags, len(v.Bytes) - HeaderSize, v.ID}
			seen[want.Type] = true

			h, f, err := decode(v.Bytes)
			require.NoError(t, err)
			assert.Equal(t, want, h)
			if len(f.Body) == 0 {
				f.Body = v.Fields.Body // nil or empty, decoders do not promise which
			}
			assert.Equal(t, v.Fields, f)
			assert.Equal(t, v.Type, h.Type.String())

			assert.Equal(t, []byte(v.Bytes), encode(nil, want, v.Fields))
			before := []byte("before")
			assert.Equal(t, append(before, v.Bytes...), encode(before, want, v.Fields), "appended")
		})
	}
	for typ := range rules {
		assert.Equal(t, Type(typ).known(), seen[Type(typ)], "a vector for %v", Type(typ))
	}
}

func TestBadFrameVectors(t *testing.T) {
	for _, v := range readVectors(t).BadFrames {
		t.Run(v.Name, func(t *testing.T) {
			_, _, err := decode(v.input())
			requireError(t, err, CodeProtocol)
		})
	}
}

// TestTruncated cuts each good frame everywhere, and takes bytes off its payload
// under a header that says so.
func TestTruncated(t *testing.T) {
	for _, v := range readVectors(t).Frames {
		for n := range v.Bytes {
			got, err := Complete(v.Bytes[:n])
			require.NoError(t, err, "%s[:%d]", v.Name, n)
			require.Zero(t, got, "%s[:%d]", v.Name, n)
		}
		h, _, err := decode(v.Bytes)
		require.NoError(t, err)
		for n := range h.Len {
			b := bytes.Clone(v.Bytes[:HeaderSize+n])
			b[2], b[3] = byte(n>>8), byte(n)
			requireIdentical(t, b)
		}
	}
}

// TestTrailing puts bytes after each good frame: in the frame they change it or
// are an error, after it they are the next frame's.
func TestTrailing(t *testing.T) {
	for _, v := range readVectors(t).Frames {
		n, err := Complete(append(bytes.Clone(v.Bytes), 0xff))
		require.NoError(t, err, v.Name)
		require.Equal(t, len(v.Bytes), n, v.Name)

		b := append(bytes.Clone(v.Bytes), 'x')
		b[3]++
		requireIdentical(t, b)
	}
}

// TestEveryFlag tries all 256 flags bytes on each good frame.
func TestEveryFlag(t *testing.T) {
	for _, v := range readVectors(t).Frames {
		for flags := range 256 {
			b := bytes.Clone(v.Bytes)
			b[1] = byte(flags)
			if h := requireIdentical(t, b); h != nil {
				allowed := rules[h.Type].flags
				require.Zero(t, h.Flags&^allowed, v.Name)
			}
		}
	}
}

// TestLengths tries the lengths that a header can give against section 7's table.
func TestLengths(t *testing.T) {
	const whole = FlagFirst | FlagLast
	for _, c := range []struct {
		t        Type
		flags    Flags
		id       byte
		min, max int
	}{
		{TypeChannel, 0, 1, 10, 137},
		{TypeMessage, whole, 1, 0, 16000},
		{TypeMessage, whole | FlagRequest, 1, 8, 16000},
		{TypeMessage, FlagFirst, 1, 16000, 16000},
		{TypeMessage, 0, 1, 16000, 16000},
		{TypeMessage, FlagLast, 1, 1, 16000},
		{TypeSkip, 0, 1, 8, 8},
		{TypeAnnounce, 0, 1, 4, 4},
		{TypeCredit, 0, 1, 16, 16},
		{TypeProbe, 0, 1, 8, 8},
		{TypeRefuse, 0, 1, 2, 257},
		{TypeAnswer, whole, 1, 0, 16000},
		{TypeAnswer, whole | FlagError, 1, 2, 257},
		{TypeAnswer, FlagFirst, 1, 16000, 16000},
		{TypeAnswer, 0, 1, 16000, 16000},
		{TypeAnswer, FlagLast, 1, 1, 16000},
		{TypeAnswerAnnounce, 0, 1, 4, 4},
		{TypeAnswerGrant, 0, 1, 0, 0},
		{TypeCancel, 0, 1, 0, 0},
		{TypeGap, 0, 1, 8, 8},
		{TypeOpen, 0, 1, 1, 128},
		{TypeOpen, FlagPipe, 1, 20, 146},
		{TypeAccept, 0, 1, 0, 0},
		{TypeData, 0, 1, 1, 16000},
		{TypeEnd, 0, 1, 0, 0},
		{TypeReset, 0, 1, 2, 257},
		{TypeStop, 0, 1, 2, 257},
		{TypeWindow, 0, 1, 8, 8},
		{TypeProgress, 0, 0, 8, 8},
		{TypePing, 0, 0, 0, 0},
		{TypePong, 0, 0, 0, 0},
		{TypeClose, 0, 0, 2, 257},
	} {
		for n := range 1 << 16 {
			if n > 300 && n < MaxPayload-1 || n > MaxPayload+300 && n < 1<<16-300 {
				continue
			}
			_, err := ParseHeader([]byte{byte(c.t), byte(c.flags), byte(n >> 8), byte(n), 0, 0, 0, c.id})
			if want := n >= c.min && n <= c.max; want != (err == nil) {
				t.Fatalf("%v with flags %02x and length %d: %v", c.t, c.flags, n, err)
			}
		}
	}
}

// requireIdentical decodes b, and if it is accepted encodes it again.
func requireIdentical(tb testing.TB, b []byte) *Header {
	tb.Helper()
	h, f, err := decode(b)
	if err != nil {
		requireError(tb, err, CodeProtocol)
		return nil
	}
	if got := encode(nil, h, f); !bytes.Equal(b, got) {
		require.Equal(tb, b, got, "%v is encoded in another way", h)
	}
	return &h
}

// requireError wants an *Error that fits into a reason.
func requireError(tb testing.TB, err error, code uint16) {
	tb.Helper()
	var e *Error
	if !errors.As(err, &e) {
		tb.Fatalf("%v is no *Error", err)
	}
	if e.Code != code {
		tb.Fatalf("%v has code %d, want %d", err, e.Code, code)
	}
	if len(err.Error()) > MaxText || e.What == "" {
		tb.Fatalf("%q is not a short text", err)
	}
}
