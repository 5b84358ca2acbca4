package secure

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// A responder fed arbitrary bytes ends with an error and closes.
func FuzzAccept(f *testing.F) {
	ci, cr := configs(f)
	wrote, _ := talk(func(c net.Conn) error { _, err := Initiate(f.Context(), c, ci); return err }, nil)
	f.Add([]byte(nil), 0)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), 1)
	f.Add([]byte("PYSOCK\x02\x00"), 3)
	f.Add(wrote, 0)
	f.Add(append(bytes.Clone(wrote), append([]byte{0, 64}, make([]byte, 64)...)...), 1226)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		conn := &script{fixed: fixed{b: in, step: step}}
		_, err := Accept(t.Context(), conn, cr)
		require.Error(t, err)
		require.True(t, conn.closed)
	})
}

// An initiator fed arbitrary bytes ends with an error and closes.
func FuzzInitiate(f *testing.F) {
	ci, cr := configs(f)
	wrote, _ := talk(func(c net.Conn) error { _, err := Initiate(f.Context(), c, ci); return err }, nil)
	answer, _ := talk(func(c net.Conn) error { _, err := Accept(f.Context(), c, cr); return err }, wrote)
	f.Add([]byte(nil), 0)
	f.Add([]byte("SSH-2.0-OpenSSH\r\n"), 0)
	f.Add([]byte("PYSOCK\x02\x00"), 2)
	f.Add(answer, 0)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		conn := &script{fixed: fixed{b: in, step: step}}
		_, err := Initiate(t.Context(), conn, ci)
		require.Error(t, err)
		require.True(t, conn.closed)
	})
}

// A reader of records yields nothing from bytes that were not sealed for it,
// and a prefix of the stream from those that were.
func FuzzRecords(f *testing.F) {
	content := []byte("some content")
	s := newSession(f)
	valid := append(s.records(f, content, content), s.record(f, recordEnd, nil)...)
	f.Add([]byte(nil), 0, 0)
	f.Add([]byte{0, 17}, 0, 1)
	f.Add([]byte{0xff, 0xff, 1, 2, 3}, 10, 2)
	f.Add(valid, 0, 0)
	f.Add(valid[31:], 31, 5)
	f.Add([]byte("more"), len(valid), 5)
	f.Fuzz(func(t *testing.T, in []byte, keep, step int) {
		wire := append(bytes.Clone(valid[:max(0, min(keep, len(valid)))]), in...)
		got, err := readAll(s.reader(&fixed{b: wire, step: step}))
		require.True(t, bytes.HasPrefix(append(bytes.Clone(content), content...), []byte(got)))
		if err == nil {
			require.True(t, bytes.HasPrefix(wire, valid), "only the true end is an end")
			return
		}
		require.True(t, errors.Is(err, ErrTampered) || errors.Is(err, ErrProtocol) || errors.Is(err, io.ErrUnexpectedEOF))
	})
}

// What decodes as a verdict is the encoding of what it decodes to.
func FuzzVerdict(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{1, 0, 1, 'n', 'o'})
	f.Fuzz(func(t *testing.T, in []byte) {
		welcome, err := decodeVerdict(in)
		var again []byte
		var refused *RefusedError
		switch {
		case err == nil:
			again, err = encodeWelcome(welcome)
		case errors.As(err, &refused):
			again, err = encodeRefusal(refused.Code, refused.Text)
		default:
			require.ErrorIs(t, err, ErrProtocol)
			return
		}
		require.NoError(t, err)
		require.Equal(t, in, again)
	})
}
