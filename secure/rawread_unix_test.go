//go:build unix

package secure

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// tryRead calls attempt as the runtime does, and reports whether it is done.
func tryRead(t *testing.T, in *reader) (done bool) {
	t.Helper()
	require.NoError(t, in.raw.sock.Control(func(fd uintptr) { done = in.raw.attempt(fd) }))
	return done
}

// A Read that waits on a socket holds no buffer, and a small one if a part of
// a record has come.
func TestWaitsWithoutBuffer(t *testing.T) {
	i, r := connectOver(t, tcpPair)
	in := &r.in
	require.False(t, tryRead(t, in))
	require.Nil(t, in.big)
	require.Nil(t, in.buf)

	rec, err := seal(i.out.keys, recordData, append(make([]byte, HeadRoom, 100), "in two parts"...))
	require.NoError(t, err)
	_, err = i.conn.Write(rec[:7])
	require.NoError(t, err)
	require.NoError(t, in.fill(0))
	require.Equal(t, 7, in.w)
	require.NotNil(t, in.big)
	require.False(t, tryRead(t, in))
	require.Nil(t, in.big)
	require.Equal(t, rec[:7], in.buf[in.r:in.w])

	_, err = i.conn.Write(rec[7:])
	require.NoError(t, err)
	buf := make([]byte, 100)
	n, err := r.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "in two parts", string(buf[:n]))
	require.Nil(t, in.big)

	// More than the small buffer holds has to be kept in a big one.
	rec, err = seal(i.out.keys, recordData, make([]byte, HeadRoom+5000, HeadRoom+5000+TailRoom))
	require.NoError(t, err)
	_, err = i.conn.Write(rec[:2000])
	require.NoError(t, err)
	for in.w < 2000 {
		require.NoError(t, in.fill(0))
	}
	require.False(t, tryRead(t, in))
	require.NotNil(t, in.big)
}

func TestUnixSocket(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	defer ln.Close()
	a, err := net.Dial("unix", ln.Addr().String())
	require.NoError(t, err)
	b, err := ln.Accept()
	require.NoError(t, err)
	i, r := connect(t, a, b)
	require.NotNil(t, r.in.raw)
	go func() {
		i.Write([]byte("over unix"))
		i.Close()
	}()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "over unix", string(got))
}

// A reset is passed on as what it is.
func TestReset(t *testing.T) {
	a, b := tcpPair(t)
	i, r := connect(t, a, b)
	require.NoError(t, a.(*net.TCPConn).SetLinger(0))
	require.NoError(t, i.CloseNow())
	_, err := r.Read(make([]byte, 1))
	require.Error(t, err)
	require.False(t, errors.Is(err, io.EOF))
	_, again := r.Read(make([]byte, 1))
	require.Equal(t, err, again)
}
