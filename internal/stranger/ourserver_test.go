package stranger

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/server"
)

func TestOurServerAfterCuts(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(ourHandlers())
	afterCuts(t, w.lasting("alice", LinkConfig{}), w.conn)
}

func TestOurServerMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(ourHandlers())
	meanwhile(t, w.lasting("alice", LinkConfig{}), w.conn)
}

func TestOurServerBadTokens(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(ourHandlers())
	badTokens(t, w.lasting("alice", LinkConfig{}), w.conn)
}

func TestOurServerBadParcels(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(nil)
	for name, contents := range badParcels {
		t.Run(name, func(t *testing.T) { breakRules(t, w.conn, 1, w.hub.public(), contents) })
	}
}

// All that is spoken in other tests without resume.
func TestOurServerSpeaksResumed(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(ourHandlers())
	c := w.lasting("alice", LinkConfig{})
	dial, _ := cuts(w.conn)
	kept := make(chan error, 1)
	cutOff(t, c)
	go func() { kept <- c.Keep(dial) }()
	speak(t, c.Link)
	over(c)
	<-kept
}

// A shore is where connections in memory are accepted, for tests with a clock
// of their own.
type shore struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (s *shore) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *shore) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *shore) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (s *shore) conn() net.Conn {
	a, b := net.Pipe()
	s.conns <- b
	return a
}

// ashore runs a test of our server in a bubble.
func ashore(t *testing.T, change func(*server.Server), test func(t *testing.T, srv *server.Server, dial func() net.Conn,
	serverKey []byte)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		srv := &server.Server{Keys: w.hub.file, Logger: quiet, Grace: time.Minute}
		change(srv)
		land := &shore{conns: make(chan net.Conn), closed: make(chan struct{})}
		var wg sync.WaitGroup
		wg.Go(func() { _ = srv.Serve(context.Background(), land) })
		test(t, srv, land.conn, w.hub.public())
		_ = srv.Close()
		wg.Wait()
	})
}

func dialResume(t *testing.T, conn net.Conn, n byte, serverKey []byte, cfg LinkConfig) *Client {
	t.Helper()
	cfg.MaxMessage = maxMessage
	c, err := Dial(conn, identity(n).key, serverKey, Hello{Features: featureResume}, cfg)
	require.NoError(t, err)
	require.NotNil(t, c.splice)
	return c
}

func TestOurServerSilence(t *testing.T) {
	ashore(t, func(*server.Server) {}, func(t *testing.T, srv *server.Server, dial func() net.Conn, key []byte) {
		c := dialResume(t, dial(), 1, key, LinkConfig{})
		<-time.After(10 * time.Minute)
		require.NoError(t, c.Ping(1))
		require.Zero(t, c.splice.attempt)
		ses, ok := srv.Session("alice")
		require.True(t, ok)
		// The server finds out as well that nothing comes any more.
		h := &hole{Conn: dial(), closed: make(chan struct{})}
		_, err := c.Resume(h, false)
		require.NoError(t, err)
		h.swallow()
		<-time.After(35 * time.Second)
		_, away := ses.Away()
		require.True(t, away)
		_, err = c.Resume(dial(), false)
		require.NoError(t, err)
		require.NoError(t, c.Ping(2))
		_, away = ses.Away()
		require.False(t, away)
		over(c)
	})
}

func TestOurServerGrace(t *testing.T) {
	ashore(t, func(s *server.Server) {
		s.Grace = 7 * time.Second
	}, func(t *testing.T, srv *server.Server, dial func() net.Conn, key []byte) {
		c := dialResume(t, dial(), 1, key, LinkConfig{})
		require.Equal(t, 7*time.Second, c.splice.grace)
		for range 3 {
			cutOff(t, c)
			<-time.After(6 * time.Second)
			_, err := c.Resume(dial(), false)
			require.NoError(t, err)
			require.NoError(t, c.Ping(1))
		}
		cutOff(t, c)
		token := c.forge(9, c.splice.arrived)
		<-time.After(8 * time.Second)
		<-c.Done()
		require.ErrorIs(t, c.Err(), ErrLost)
		require.Equal(t, codeNoSession, tryToken(t, dial(), 1, key, token))
		_, there := srv.Session("alice")
		require.False(t, there)
	})
}

func TestOurServerEndedMeanwhile(t *testing.T) {
	for code, want := range map[channel.Code]int{
		channel.CodeKicked: codeKicked, 300: 300, channel.CodeLimit: codeNoSession,
	} {
		ashore(t, func(*server.Server) {}, func(t *testing.T, srv *server.Server, dial func() net.Conn, key []byte) {
			c := dialResume(t, dial(), 1, key, LinkConfig{})
			require.NoError(t, c.Ping(1))
			ses, ok := srv.Session("alice")
			require.True(t, ok)
			cutOff(t, c)
			synctest.Wait()
			_ = ses.CloseWithReason(code, "go")
			<-ses.Context().Done()
			<-time.After(10 * time.Second)
			require.Equal(t, codeNoSession, tryToken(t, dial(), 2, key, c.forge(7, c.splice.arrived)), "somebody else")
			_, err := c.Resume(dial(), false)
			var no *Error
			require.ErrorAs(t, err, &no)
			require.Equal(t, want, no.Code)
			<-c.Done()
		})
	}
}

func TestOurServerClosedMeanwhile(t *testing.T) {
	ashore(t, func(*server.Server) {}, func(t *testing.T, srv *server.Server, dial func() net.Conn, key []byte) {
		c := dialResume(t, dial(), 1, key, LinkConfig{})
		require.NoError(t, c.Ping(1))
		ses, ok := srv.Session("alice")
		require.True(t, ok)
		cutOff(t, c)
		synctest.Wait()
		require.NoError(t, ses.Send(t.Context(), "bye", []byte("last words")))
		var wg sync.WaitGroup
		wg.Go(func() { _ = ses.CloseWithReason(channel.CodeKicked, "go") })
		synctest.Wait()
		_, err := c.Resume(dial(), false)
		require.NoError(t, err)
		<-c.Done()
		require.Equal(t, &Error{Code: codeKicked, Text: "go", Remote: true}, c.Err())
		wg.Wait()
	})
}

func TestOurServerRetry(t *testing.T) {
	ashore(t, func(*server.Server) {}, func(t *testing.T, srv *server.Server, dial func() net.Conn, key []byte) {
		c := dialResume(t, dial(), 1, key, LinkConfig{})
		require.NoError(t, c.Ping(1))
		require.NoError(t, srv.Shutdown(t.Context()))
		<-c.Done()
		var why *Error
		require.ErrorAs(t, c.Err(), &why)
		require.Equal(t, codeShutdown, why.Code)
		_, said := c.RetryIn()
		require.True(t, said)
	})
}

// Messages that are sent again in a later session with their old numbers are
// not given to our server's handler a second time.
func TestOurServerSequences(t *testing.T) {
	for name, features := range map[string]uint32{"plain": 0, "resume": featureResume} {
		t.Run(name, func(t *testing.T) {
			g := make(ledger, 16)
			var mux channel.Mux
			mux.Handle("log", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
				g <- string(m.Body)
				return nil
			})
			w := newWorld(t)
			w.serveOurs(&mux)
			h := NewHistory([16]byte{7})
			c := w.strangerWith("alice", features, LinkConfig{History: h})
			record := h.Record()
			require.NotEqual(t, none, record)
			sendAll(t, c.Link, "log", "0", "1", "2")
			g.next(t, "0", "1", "2")
			require.NoError(t, c.below.Close())
			<-c.Done()

			h.Again("log", 1)
			d := w.strangerWith("alice", features, LinkConfig{History: h})
			require.Equal(t, record, h.Record())
			sendAll(t, d.Link, "log", "1", "2", "3")
			g.next(t, "3")

			// A newer link while the one before is there, and a gap.
			h.Again("log", 6)
			e := w.strangerWith("alice", features, LinkConfig{History: h})
			require.Equal(t, record, h.Record())
			sendAll(t, e.Link, "log", "6")
			h.Again("log", 3)
			f := w.strangerWith("alice", features, LinkConfig{History: h})
			sendAll(t, f.Link, "log", "3", "4", "5", "6", "7")
			g.next(t, "6", "7")

			h = NewHistory([16]byte{8})
			h.Again("log", 3)
			i := w.strangerWith("alice", features, LinkConfig{History: h})
			require.NotEqual(t, record, h.Record())
			sendAll(t, i.Link, "log", "another instance")
			g.next(t, "another instance")
			require.Empty(t, g)
		})
	}
}

// What our server sends goes on with its numbers, too.
func TestOurServerSequencesBack(t *testing.T) {
	w := newWorld(t)
	srv := w.serveOurs(ourHandlers())
	h := NewHistory([16]byte{7})
	var record [16]byte
	for i := range 3 {
		c := w.lasting("alice", LinkConfig{History: h})
		require.Equal(t, i > 0, record == h.Record())
		record = h.Record()
		require.NoError(t, c.Ping(1))
		ses, ok := srv.Session("alice")
		require.True(t, ok)
		for _, body := range []string{"a", "b"} {
			require.NoError(t, ses.Send(t.Context(), "news", []byte(body)))
			m, err := c.Receive()
			require.NoError(t, err)
			require.Equal(t, body, string(m.Body))
		}
		require.Equal(t, uint64(2*i+2), h.taken["news"])
		require.NoError(t, c.below.Close()) // after an orderly end the server may forget
		<-c.Done()
	}
	require.Empty(t, h.Lost())
}
