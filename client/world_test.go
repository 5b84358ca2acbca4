package client_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// network carries connections in memory, within one synctest bubble, and fails when the test wants it to.
type network struct {
	mu    sync.Mutex
	down  bool
	hosts *sync.Map      // of *host by address; networks may share it
	wires []*memnet.Conn // the clients' ends
	far   []*memnet.Conn // the servers'
	dials []string       // addresses, in the order in which they were dialed
	kind  func(n int) memnet.Config
}

// host is a listener of the network.
type host struct {
	net     *network
	address string
	queue   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

var errDown = errors.New("the network is down")

func (n *network) listen(address string) *host {
	h := &host{net: n, address: address, queue: make(chan net.Conn, 64), closed: make(chan struct{})}
	n.hosts.Store(address, h)
	return h
}

func (h *host) Accept() (net.Conn, error) {
	select {
	case c := <-h.queue:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *host) Close() error {
	h.once.Do(func() {
		close(h.closed)
		h.net.hosts.CompareAndDelete(h.address, h)
	})
	return nil
}

func (h *host) Addr() net.Addr { return memnet.Addr(h.address) }

// host is the listener at an address, nil if there is none.
func (n *network) host(address string) *host {
	h, _ := n.hosts.Load(address)
	found, _ := h.(*host)
	return found
}

func (n *network) dial(_ context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials = append(n.dials, address)
	h := n.host(address)
	if n.down || h == nil {
		return nil, errDown
	}
	var cfg memnet.Config
	if n.kind != nil {
		cfg = n.kind(len(n.wires))
	}
	near, far := memnet.Pipe(cfg)
	n.wires, n.far = append(n.wires, near), append(n.far, far)
	h.queue <- far
	return near, nil
}

// cut cuts all connections that there are.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.wires {
		w.Cut()
	}
}

// deafen lets nothing come to clients any more over the connections that there are.
func (n *network) deafen() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.far {
		w.Vanish()
	}
}

// silence lets nothing come from clients any more over the connections that there are.
func (n *network) silence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.wires {
		w.Vanish()
	}
}

// fail takes the network down, or up again.
func (n *network) fail(down bool) {
	n.mu.Lock()
	n.down = down
	n.mu.Unlock()
	if down {
		n.cut()
	}
}

// heal lets the next connections work.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kind = nil
}

// connections counts the connections that were made.
func (n *network) connections() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.wires)
}

// dialed is where clients have connected to so far, or tried to.
func (n *network) dialed() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.dials...)
}

// world is a network with a server at "hub:1" and clients who know each other, within one bubble.
type world struct {
	t     *testing.T
	net   *network
	own   *keys.File
	files map[string]*keys.File
	srv   *server.Server
	stop  func()
}

func newWorld(t *testing.T, set func(*server.Server), names ...string) *world {
	w := &world{t: t, net: &network{hosts: new(sync.Map)}, files: map[string]*keys.File{}}
	w.own = testworld.NewKey(t, keys.ServerName)
	w.own.Clients = map[string]keys.PublicKey{}
	for _, name := range names {
		f := testworld.NewKey(t, name)
		f.Server = &keys.ServerRef{Address: "hub:1", Key: w.own.Public}
		w.files[name], w.own.Clients[name] = f, f.Public
	}
	for a, f := range w.files {
		for b, g := range w.files {
			if a != b {
				f.Peers[b] = g.Public
			}
		}
	}
	w.serve("hub:1", set)
	t.Cleanup(func() { w.stop() })
	return w
}

// serve starts a server, at first or in the place of one that was stopped.
func (w *world) serve(address string, set func(*server.Server)) {
	srv := &server.Server{Keys: w.own, Logger: silent(), Handler: new(channel.Mux)}
	if set != nil {
		set(srv)
	}
	ln := w.net.listen(address)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), ln) }() // stops with Close
	w.srv = srv
	w.stop = func() {
		srv.Close()
		<-done
	}
}

func (w *world) config(name string, change func(*client.Config)) *client.Config {
	cfg := &client.Config{Keys: w.files[name], Logger: silent(), DialContext: w.net.dial}
	if change != nil {
		change(cfg)
	}
	return cfg
}

func (w *world) dial(name string, change func(*client.Config)) *client.Client {
	w.t.Helper()
	c, err := client.Dial(context.Background(), "", w.config(name, change))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	return c
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// await waits until the client's state is as wanted.
func await(t *testing.T, c *client.Client, want func(client.State) bool) client.State {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour) // of the bubble
	defer cancel()
	for s := range c.States(ctx) {
		if want(s) {
			return s
		}
		require.NotEqual(t, client.Offline, s.Phase, "%v", s.Err)
	}
	t.Fatal("it never was as wanted, but ", c.State())
	return client.State{}
}

func phase(p client.Phase) func(client.State) bool {
	return func(s client.State) bool { return s.Phase == p }
}

func session(n int) func(client.State) bool {
	return func(s client.State) bool { return s.Phase == client.Online && s.Session == n }
}
