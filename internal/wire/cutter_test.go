package wire

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testBody(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

func (v cutVector) cutter(tb testing.TB, body []byte) Cutter {
	flags := EncodingFlags(v.Encoding)
	if typeOf(tb, v.Type) == TypeAnswer {
		return CutAnswer(v.ID, flags, body)
	}
	if v.Request != 0 {
		flags |= FlagRequest
	}
	return CutMessage(v.ID, flags, MessageStart{Request: v.Request, Allowance: v.Allowance}, body)
}

func TestCutVectors(t *testing.T) {
	for _, v := range readVectors(t).Cuts {
		t.Run(v.Type+" "+v.Name, func(t *testing.T) {
			body := testBody(v.Body)
			c := v.cutter(t, body)
			var all, got []byte
			for i, want := range v.Frames {
				size := c.Size()
				head, part, ok := c.Next([]byte("prefix"))
				require.True(t, ok, "frame %d", i)
				require.Equal(t, "prefix", string(head[:6]))
				head = head[6:]
				require.Equal(t, []byte(want.Head), head, "frame %d", i)
				require.Len(t, part, want.Body, "frame %d", i)
				require.Equal(t, size, len(head)+len(part))
				require.LessOrEqual(t, len(head), MaxHead)
				if len(part) > 0 {
					require.Same(t, &body[len(got)], &part[0], "the body is copied")
					require.Equal(t, len(part), cap(part), "an append would write into the body")
				}
				got = append(got, part...)
				all = append(append(all, head...), part...)
			}
			require.True(t, bytes.Equal(body, got))
			requireDone(t, &c)

			whole := v.cutter(t, body)
			require.True(t, bytes.Equal(all, whole.appendAll(nil)))
			checkReassembly(t, v, all, body)
		})
	}
}

// checkReassembly reads the frames as a receiver does.
func checkReassembly(t *testing.T, v cutVector, frames, want []byte) {
	var got []byte
	for first := true; len(frames) > 0; first = false {
		n, err := Complete(frames)
		require.NoError(t, err)
		require.NotZero(t, n)
		h, err := ParseHeader(frames)
		require.NoError(t, err)
		require.Equal(t, first, h.Flags.Has(FlagFirst))
		require.Equal(t, n == len(frames), h.Flags.Has(FlagLast))
		part := frames[HeaderSize:n]
		switch {
		case first && h.Type == TypeMessage:
			var s MessageStart
			s, part, err = ParseMessageStart(h, part)
			require.Equal(t, MessageStart{uint32(v.Body), v.Request, v.Allowance}, s)
		case first:
			var s AnswerStart
			s, part, err = ParseAnswerStart(h, part)
			require.Equal(t, AnswerStart{uint32(v.Body)}, s)
		}
		require.NoError(t, err)
		if first {
			require.Equal(t, v.Encoding, h.Flags.Encoding())
		}
		got = append(got, part...)
		frames = frames[n:]
	}
	require.True(t, bytes.Equal(want, got))
}

func TestCutterDone(t *testing.T) {
	var zero Cutter
	requireDone(t, &zero)
}

func requireDone(t *testing.T, c *Cutter) {
	require.Zero(t, c.Size())
	head, body, ok := c.Next([]byte("prefix"))
	assert.False(t, ok)
	assert.Equal(t, "prefix", string(head))
	assert.Empty(t, body)
}

// TestCutterIgnores hands over the flags of a received frame, as an echo does.
func TestCutterIgnores(t *testing.T) {
	want := AppendMessage(nil, 1, EncodingFlags(EncodingText), MessageStart{}, []byte("a"))
	got := AppendMessage(nil, 1, EncodingFlags(EncodingText)|FlagFirst|FlagLast, MessageStart{Total: 99}, []byte("a"))
	assert.Equal(t, want, got)
}

// TestLargestBody is about the protocol's limit without a body of that size.
func TestLargestBody(t *testing.T) {
	assert.Empty(t, checkBody(MaxBody))
	assert.NotEmpty(t, checkBody(MaxBody+1))

	b := append([]byte{2, 1, 0x3e, 0x80, 0, 0, 0, 1, 0x3f, 0xff, 0xff, 0xe0}, testBody(MaxPayload-4)...)
	require.NotNil(t, requireIdentical(t, b), "a total of MaxBody")
	b[11]++
	require.Nil(t, requireIdentical(t, b), "a total of MaxBody + 1")
}
