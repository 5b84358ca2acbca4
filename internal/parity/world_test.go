package parity_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if programs.dir != "" {
			_ = os.RemoveAll(programs.dir)
		}
		os.Exit(code)
	}))
}

// hub is a server on loopback that has handlers, and whose policy allows whatever it can.
func hub(t *testing.T, change func(*server.Server), names ...string) *testworld.World {
	t.Helper()
	return testworld.New(t, names, func(s *server.Server) {
		s.Handler = new(channel.Mux)
		s.AllowGroups = func(channel.Peer, []string) error { return nil }
		s.AllowLeave = func(channel.Peer, string) error { return nil }
		s.AllowRename = func(channel.Peer, string) error { return nil }
		s.AllowGroupSend = func(channel.Peer, string, *channel.Message) error { return nil }
		if change != nil {
			change(s)
		}
	})
}

// session is the server's side of a client that has connected.
func session(t *testing.T, w *testworld.World, name string) *server.Session {
	t.Helper()
	s, there := w.Server.Session(name)
	require.True(t, there, name)
	return s
}

// inbox keeps what a handler got.
type inbox chan *channel.Message

func (b inbox) take(ctx context.Context, _ channel.Conn, m *channel.Message) error {
	select {
	case b <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b inbox) next(t *testing.T) *channel.Message { t.Helper(); return next(t, b) }

// next waits for what is to come.
func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-t.Context().Done():
		t.Fatal("the test has ended")
		panic("unreachable")
	}
}

// until takes from c what comes before the value that is waited for.
func until[T any](t *testing.T, c <-chan T, wanted func(T) bool) T {
	t.Helper()
	for {
		if v := next(t, c); wanted(v) {
			return v
		}
	}
}

// run lets a client's handlers be called until the client is closed.
func run(t *testing.T, c *client.Client) *client.Client {
	go func() { _ = c.Run(t.Context()) }()
	return c
}

// watch gives the events of a client's presence one after another.
func watch(t *testing.T, c *client.Client) <-chan channel.PresenceEvent {
	events := make(chan channel.PresenceEvent, 100)
	go func() { // ends with the client
		for e, err := range c.Presence(t.Context()) {
			if err != nil {
				return
			}
			events <- e
		}
	}()
	return events
}

// is matches the presence event of a kind and a name.
func is(kind channel.PresenceKind, name string) func(channel.PresenceEvent) bool {
	return func(e channel.PresenceEvent) bool {
		return e.Kind == kind && (e.Peer.Name == name || e.Before.Name == name)
	}
}

// named gives the names of sessions, sorted.
func named(sessions func(func(*server.Session) bool)) (names []string) {
	for s := range sessions {
		names = append(names, s.Peer().Name)
	}
	slices.Sort(names)
	return names
}

// tap is what connects a client, and sees all that goes over the network.
type tap struct {
	mu       sync.Mutex
	up, down []byte
	writes   [][]byte // what makes up
	conn     net.Conn // the newest connection
}

func (p *tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = conn
	return &tapped{conn, p}, nil
}

// seen gives what went up and down so far.
func (p *tap) seen() (up, down []byte, writes [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.up), slices.Clone(p.down), slices.Clone(p.writes)
}

type tapped struct {
	net.Conn
	to *tap
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.to.mu.Lock()
	c.to.down = append(c.to.down, b[:n]...)
	c.to.mu.Unlock()
	return n, err
}

func (c *tapped) Write(b []byte) (int, error) {
	c.to.mu.Lock()
	c.to.up = append(c.to.up, b...)
	c.to.writes = append(c.to.writes, slices.Clone(b))
	c.to.mu.Unlock()
	return c.Conn.Write(b)
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
