package stranger

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

var quiet = slog.New(slog.DiscardHandler)

// A world has a server of either kind and clients of both, all on loopback.
type world struct {
	net     *testworld.Net // what our server listens on
	t       *testing.T
	hub     ident
	people  map[string]ident
	address string
	grace   time.Duration // of the stranger's server; 0: it does not resume
	ours    *server.Server
	theirs  *Server
}

func newWorld(t *testing.T) *world {
	w := &world{net: new(testworld.Net), t: t, hub: identity(3), people: map[string]ident{"alice": identity(1), "bob": identity(2),
		"carol": identity(4)}}
	w.hub.file.Name = "hub"
	w.hub.file.Clients = map[string]keys.PublicKey{}
	for name, id := range w.people {
		id.file.Name = name
		w.hub.file.Clients[name] = id.file.Public
		id.file.Peers = map[string]keys.PublicKey{}
		for other, o := range w.people {
			if other != name {
				id.file.Peers[other] = o.file.Public
			}
		}
	}
	return w
}

func (w *world) listen() net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	w.address = ln.Addr().String()
	return ln
}

// serveOurs starts the module's server.
func (w *world) serveOurs(mux *channel.Mux) *server.Server {
	w.ours = &server.Server{Keys: w.hub.file, Handler: mux, Logger: quiet, Limits: server.Limits{MaxMessage: maxMessage - messageCost}}
	ln := w.listen()
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.ours.Serve(context.Background(), w.net.Listener(ln)) })
	w.t.Cleanup(func() {
		require.NoError(w.t, w.ours.Close())
		wg.Wait()
	})
	return w.ours
}

// serveTheirs starts the stranger's server; links gives the sessions.
func (w *world) serveTheirs(cfg LinkConfig) (links <-chan *Link) {
	cfg.MaxMessage = maxMessage
	cfg.Library = &Library{}
	w.theirs = &Server{Key: w.hub.key, Clients: map[string]string{}, Link: cfg, Grace: w.grace}
	for name, id := range w.people {
		w.theirs.Clients[string(id.public())] = name
	}
	ln := w.listen()
	out := make(chan *Link, 16)
	var begun sync.Map // those in out, for a session may have many connections
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				l, err := w.theirs.Serve(conn)
				if err != nil {
					return
				}
				if _, again := begun.LoadOrStore(l, true); !again {
					out <- l
				}
				<-l.Done()
			})
		}
	})
	w.t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return out
}

func (w *world) conn() net.Conn {
	conn, err := net.Dial("tcp", w.address)
	require.NoError(w.t, err)
	return conn
}

// stranger dials with the stranger's client, which does not offer resume.
func (w *world) stranger(name string, cfg LinkConfig) *Client {
	return w.strangerWith(name, 0, cfg)
}

// lasting dials with the stranger's client for a session that can be resumed.
func (w *world) lasting(name string, cfg LinkConfig) *Client {
	c := w.strangerWith(name, featureResume, cfg)
	require.NotNil(w.t, c.splice)
	return c
}

func (w *world) strangerWith(name string, features uint32, cfg LinkConfig) *Client {
	cfg.MaxMessage = maxMessage
	c, err := Dial(w.conn(), w.people[name].key, w.hub.public(), Hello{Wanted: name, Features: features}, cfg)
	require.NoError(w.t, err)
	require.Equal(w.t, name, c.Name)
	w.t.Cleanup(func() {
		if c.splice != nil { // a connection that is lost while both sides close would be waited for
			kept := make(chan error, 1)
			go func() { kept <- c.Keep(func() (io.ReadWriteCloser, error) { return net.Dial("tcp", w.address) }) }()
			defer func() { <-kept }()
		}
		c.Close(codeClosed, "")
		<-c.Done()
	})
	return c
}

// ourHandlers echo, answer and take.
func ourHandlers() *channel.Mux {
	var mux channel.Mux
	mux.Handle("echo", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		return from.SendMessage(ctx, m)
	})
	mux.Handle("ask", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
		return m.ReplyMessage(ctx, m.Encoding, m.Body)
	})
	mux.Handle("fail", func(context.Context, channel.Conn, *channel.Message) error {
		return &channel.Error{Code: 300, Text: "no luck"}
	})
	mux.Handle("wait", func(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
		<-ctx.Done()
		return channel.CodeCanceled
	})
	mux.Handle("take", func(context.Context, channel.Conn, *channel.Message) error { return nil })
	return &mux
}
