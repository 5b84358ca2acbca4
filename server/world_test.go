package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// bubble is a server on in-memory connections, whose time stands still while anybody has something to do.
type bubble struct {
	*server.Server
	t     *testing.T
	ln    *pipeListener
	files map[string]*keys.File

	services *channel.Mux // of the members that are to come; nil for none
}

// inBubble calls f with a server that knows alice and bob, and closes it.
func inBubble(t *testing.T, change func(*server.Server), f func(t *testing.T, w *bubble)) {
	t.Helper()
	inBubbleOf(t, []string{"alice", "bob"}, change, f)
}

// inBubbleOf is inBubble for clients of other names.
func inBubbleOf(t *testing.T, names []string, change func(*server.Server), f func(t *testing.T, w *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &bubble{t: t, ln: newPipeListener(), files: map[string]*keys.File{}}
		w.Server = &server.Server{Keys: testworld.NewKey(t, keys.ServerName), Logger: slog.New(slog.DiscardHandler)}
		w.Keys.Clients = map[string]keys.PublicKey{}
		for _, name := range names {
			w.files[name] = testworld.NewKey(t, name)
			w.Keys.Clients[name] = w.files[name].Public
		}
		if change != nil {
			change(w.Server)
		}
		done := make(chan error, 1)
		go func() { done <- w.Serve(context.Background(), w.ln) }()
		defer func() {
			require.NoError(t, w.Server.Close())
			<-done
		}()
		f(t, w)
	})
}

// dial connects by what holds some bytes that nobody reads, as TCP does.
func (w *bubble) dial() net.Conn {
	a, b := memnet.Pipe(memnet.Config{})
	w.ln.conns <- b
	return a
}

// tryDial is dial for a server that may be gone.
func (w *bubble) tryDial() (*memnet.Conn, error) {
	a, b := memnet.Pipe(memnet.Config{})
	select {
	case w.ln.conns <- b:
		return a, nil
	case <-w.ln.closed:
		return nil, net.ErrClosed
	}
}

// enter connects a client of our own making over raw.
func (w *bubble) enter(raw net.Conn, name string, transient bool) (*secure.Conn, error) {
	w.t.Helper()
	hello, err := (&wire.Hello{MaxMessage: wire.DefaultMaxMessage, Name: name, Transient: transient}).Append(nil)
	require.NoError(w.t, err)
	conn, err := secure.Initiate(context.Background(), raw, &secure.Config{
		Key: w.files[name].Private, Hello: hello, VerifyPeer: func(keys.PublicKey) error { return nil },
	})
	if err == nil {
		w.t.Cleanup(func() { conn.CloseNow() })
	}
	return conn, err
}

// mustEnter is enter for a client that gets in.
func (w *bubble) mustEnter(name string, transient bool) *secure.Conn {
	w.t.Helper()
	conn, err := w.enter(w.dial(), name, transient)
	require.NoError(w.t, err)
	return conn
}

// refused requires that a client is refused with a code.
func (w *bubble) refused(name string, transient bool, code channel.Code) {
	w.t.Helper()
	_, err := w.enter(w.dial(), name, transient)
	var e *secure.RefusedError
	require.ErrorAs(w.t, err, &e)
	require.Equal(w.t, code, channel.Code(e.Code))
}

// say sends a message on the channel "work".
func say(t *testing.T, conn net.Conn) {
	t.Helper()
	b := wire.AppendChannel(nil, 1, 0, wire.KindApplication, "work")
	b = wire.AppendMessage(b, 1, wire.FlagFirst|wire.FlagLast, wire.MessageStart{}, []byte("x"))
	_, err := conn.Write(b)
	require.NoError(t, err)
}

// remote is a connection that says where it comes from.
type remote struct {
	net.Conn
	addr address
}

type address string

func (address) Network() string  { return "test" }
func (a address) String() string { return string(a) }

func (c remote) RemoteAddr() net.Addr { return c.addr }

// dialFrom dials from an address.
func (l *pipeListener) dialFrom(addr string) net.Conn {
	a, b := memnet.Pipe(memnet.Config{})
	l.conns <- remote{b, address(addr)}
	return a
}

// stuck is a connection whose reader returns when the test says so, or, if it heeds them, at a
// deadline, but never for being closed.
type stuck struct {
	net.Conn
	release chan struct{} // closed by the test
	expired chan struct{} // closed by a deadline in the past; nil if deadlines are ignored
	once    sync.Once
	closed  chan struct{}
}

func newStuck(heeds bool) *stuck {
	_, b := net.Pipe()
	c := &stuck{Conn: b, release: make(chan struct{}), closed: make(chan struct{})}
	if heeds {
		c.expired = make(chan struct{})
	}
	return c
}

func (c *stuck) Read([]byte) (int, error) {
	select {
	case <-c.release:
	case <-c.expired:
	}
	return 0, errors.New("stuck no more")
}

func (c *stuck) SetDeadline(d time.Time) error {
	if c.expired != nil && !d.IsZero() {
		close(c.expired)
	}
	return nil
}

func (c *stuck) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *stuck) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}
