package secure

import (
	"bytes"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every byte of the handshake, altered or cut off on the way, ends it on at
// least one side, and never in a session that both believe in.
func TestHandshakeTampered(t *testing.T) {
	ci, cr := configs(t)
	ci.Hello = nil
	sizes := []int{preambleSize + lengthSize + message1Size, lengthSize + message2Size, lengthSize + message3Min, rekeyRecord + 8}
	for n, size := range sizes {
		step := 1
		if size > 100 {
			step = 97 // a prime, so that all fields are hit
		}
		for pos := 0; pos < size; pos += step {
			for _, cut := range []bool{false, true} {
				a, b := net.Pipe()
				m := &meddler{writes: n / 2, pos: pos, cut: cut}
				var left, right net.Conn = a, b
				if n%2 == 0 {
					m.Conn = a
					left = m
				} else {
					m.Conn = b
					right = m
				}
				x, y := initiateAsync(t.Context(), left, ci), acceptAsync(t.Context(), right, cr)
				ri, rr := <-x, <-y
				require.True(t, m.done, "message %d byte %d was not reached", n, pos)
				require.Error(t, ri.err, "message %d byte %d", n, pos)
				if n < 3 {
					require.Error(t, rr.err, "message %d byte %d", n, pos)
				} else {
					rr.c.CloseNow()
				}
				a.Close()
				b.Close()
			}
		}
	}
}

// meddler alters one byte of one write, or cuts it there and closes.
type meddler struct {
	net.Conn
	writes, pos int
	cut, done   bool
}

func (m *meddler) Write(p []byte) (int, error) {
	m.writes--
	if m.writes != -1 || m.done {
		return m.Conn.Write(p)
	}
	m.done = true
	p = bytes.Clone(p)
	if m.cut {
		m.Conn.Write(p[:m.pos])
		m.Conn.Close()
		return len(p), nil
	}
	p[m.pos] ^= 0x20
	n, err := m.Conn.Write(p)
	if m.pos < preambleSize+lengthSize {
		m.Conn.Close() // the length may promise more than there is
	}
	return n, err
}
