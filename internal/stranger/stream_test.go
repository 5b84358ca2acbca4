package stranger

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// swap writes body to both ends of a stream at once and reads it at both.
func swap(t *testing.T, a, b net.Conn, closeA, closeB func() error) {
	t.Helper()
	body := pattern(400_000)
	var wg sync.WaitGroup
	for _, end := range []struct {
		io.Writer
		close func() error
	}{{a, closeA}, {b, closeB}} {
		wg.Go(func() {
			if _, err := end.Write(body); err == nil {
				_ = end.close()
			}
		})
	}
	require.True(t, string(body) == readAll(t, a))
	require.True(t, string(body) == readAll(t, b))
	wg.Wait()
}

// asConn lets a Stream stand where swap wants a net.Conn.
type asConn struct {
	net.Conn
	*Stream
}

func (c asConn) Read(b []byte) (int, error)  { return c.Stream.Read(b) }
func (c asConn) Write(b []byte) (int, error) { return c.Stream.Write(b) }
func (c asConn) Close() error                { return c.Stream.Close() }

func halfClose(c net.Conn) func() error {
	return func() error { return c.(interface{ CloseWrite() error }).CloseWrite() }
}

func TestStreamsWithOurServer(t *testing.T) {
	w := newWorld(t)
	srv := w.serveOurs(nil)
	ln, err := srv.Listen("files")
	require.NoError(t, err)
	defer ln.Close()
	c := w.stranger("alice", LinkConfig{Listen: []string{"back"}})

	s, err := c.Open("files")
	require.NoError(t, err)
	conn, err := ln.Accept()
	require.NoError(t, err)
	require.NoError(t, s.WaitAccept())
	swap(t, asConn{Stream: s}, conn, s.CloseWrite, halfClose(conn))
	require.NoError(t, conn.Close())
	require.NoError(t, s.Close())

	no, err := c.Open("nothing")
	require.NoError(t, err)
	var why *Error
	require.ErrorAs(t, no.WaitAccept(), &why)
	require.Equal(t, codeNoListener, why.Code)

	ses, ok := srv.Session("alice")
	require.True(t, ok)
	_, err = ses.OpenStream(t.Context(), "nothing")
	require.ErrorIs(t, err, channel.CodeNoListener)
	conn, err = ses.OpenStream(t.Context(), "back")
	require.NoError(t, err)
	s, err = c.AcceptStream()
	require.NoError(t, err)
	require.Equal(t, "back", s.Name)
	swap(t, asConn{Stream: s}, conn, s.CloseWrite, halfClose(conn))
	require.NoError(t, conn.Close())
	require.NoError(t, c.Ping(1))
	require.NoError(t, noStreams(c.Link))
}

// Streams that are given up, by either side, in the middle.
func TestStreamsGivenUp(t *testing.T) {
	w := newWorld(t)
	srv := w.serveOurs(nil)
	ln, err := srv.Listen("files")
	require.NoError(t, err)
	defer ln.Close()
	c := w.stranger("alice", LinkConfig{})
	for range 3 {
		s, err := c.Open("files")
		require.NoError(t, err)
		conn, err := ln.Accept()
		require.NoError(t, err)
		written := make(chan error, 1)
		go func() {
			_, err := s.Write(pattern(1 << 20))
			written <- err
		}()
		_, err = io.ReadFull(conn, make([]byte, 1000))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		var why *Error
		require.ErrorAs(t, <-written, &why)
		require.NoError(t, s.Close())

		s, err = c.Open("files")
		require.NoError(t, err)
		conn, err = ln.Accept()
		require.NoError(t, err)
		go func() {
			_, err := conn.Write(pattern(1 << 20))
			written <- err
		}()
		_, err = io.ReadFull(s, make([]byte, 1000))
		require.NoError(t, err)
		s.Reset(300)
		require.ErrorIs(t, <-written, channel.Code(300))
		require.NoError(t, conn.Close())
	}
	require.NoError(t, c.Ping(1))
	require.NoError(t, noStreams(c.Link))
}

func TestStreamsInPipe(t *testing.T) {
	eachServer(t, func(t *testing.T, w *world) {
		bob := w.our("bob", nil)
		ln, err := bob.Listen("files")
		require.NoError(t, err)
		defer ln.Close()
		alice := w.stranger("alice", LinkConfig{})
		accepted := make(chan error, 1)
		go func() {
			_, err := bob.AcceptPipe(t.Context())
			accepted <- err
		}()
		pipe, err := alice.OpenPipe("bob", w.people["bob"].public(), LinkConfig{MaxMessage: maxMessage})
		require.NoError(t, err)
		require.NoError(t, <-accepted)
		s, err := pipe.Open("files")
		require.NoError(t, err)
		conn, err := ln.Accept()
		require.NoError(t, err)
		swap(t, asConn{Stream: s}, conn, s.CloseWrite, halfClose(conn))
		require.NoError(t, conn.Close())
		pipe.Close(0, "")
		<-pipe.Done()
	})
}
