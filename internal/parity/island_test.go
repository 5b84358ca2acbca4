package parity_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// island is a server and its clients on connections in memory, within one synctest bubble.
type island struct {
	t     *testing.T
	own   *keys.File
	srv   *server.Server
	files map[string]*keys.File
	stop  func() // ends the server

	mu      sync.Mutex
	dock    *dock
	kind    memnet.Config
	down    bool // nobody gets through to the server
	dials   int
	packets int            // that were written, by both sides
	near    []*memnet.Conn // the clients' ends
	far     []*memnet.Conn // the server's
}

// dock is an island's listener.
type dock struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newIsland(t *testing.T, change func(*server.Server), names ...string) *island {
	is := &island{t: t, files: map[string]*keys.File{}, own: testworld.NewKey(t, keys.ServerName)}
	is.own.Clients = map[string]keys.PublicKey{}
	for _, name := range names {
		f := testworld.NewKey(t, name)
		f.Server = &keys.ServerRef{Address: "hub:1", Key: is.own.Public}
		is.files[name], is.own.Clients[name] = f, f.Public
	}
	is.serve(change)
	t.Cleanup(func() { is.stop() })
	return is
}

// serve starts a server, the first or one after stop.
func (is *island) serve(change func(*server.Server)) {
	srv := &server.Server{Keys: is.own, Handler: new(channel.Mux), Logger: silent()}
	if change != nil {
		change(srv)
	}
	d := &dock{accept: make(chan net.Conn), closed: make(chan struct{})}
	done := make(chan struct{})
	go func() { // stops with Close
		_ = srv.Serve(context.Background(), d)
		close(done)
	}()
	is.mu.Lock()
	defer is.mu.Unlock()
	is.srv, is.dock = srv, d
	is.stop = func() {
		_ = srv.Close()
		<-done
	}
}

func (d *dock) Accept() (net.Conn, error) {
	select {
	case c := <-d.accept:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *dock) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

func (d *dock) Addr() net.Addr { return memnet.Addr("hub:1") }

var errNobody = errors.New("nobody listens")

// dial connects to the server, if it is there.
func (is *island) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	is.mu.Lock()
	is.dials++
	near, far := memnet.Pipe(is.kind)
	is.near, is.far = append(is.near, near), append(is.far, far)
	d, down := is.dock, is.down
	is.mu.Unlock()
	if down {
		return nil, errNobody
	}
	select {
	case d.accept <- &counted{far, is}:
		return &counted{near, is}, nil
	case <-d.closed:
		return nil, errNobody
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join connects a client.
func (is *island) join(name string, change func(*client.Config)) *client.Client {
	is.t.Helper()
	cfg := &client.Config{Keys: is.files[name], Logger: silent(), DialContext: is.dial}
	if change != nil {
		change(cfg)
	}
	c, err := client.Dial(is.t.Context(), "", cfg)
	require.NoError(is.t, err)
	is.t.Cleanup(func() { _ = c.Close() })
	return c
}

// cut lets nobody through to the server, or again.
func (is *island) cut(down bool) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.down = down
}

// silence lets nothing come through a connection any more, its end included, and tells neither side.
func (is *island) silence(connection int) {
	for _, end := range []*memnet.Conn{is.near[connection], is.far[connection]} {
		end.Vanish()
		end.Stall()
	}
}

// count gives how often clients have dialed, and how many packets were written.
func (is *island) count() (dials, packets int) {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.dials, is.packets
}

// counted is a connection whose packets the island counts.
type counted struct {
	net.Conn
	is *island
}

func (c *counted) Write(p []byte) (int, error) {
	c.is.mu.Lock()
	c.is.packets++
	c.is.mu.Unlock()
	return c.Conn.Write(p)
}
