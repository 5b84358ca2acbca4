package stranger

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

const maxMessage = 2<<20 + messageCost

var quiet = slog.New(slog.DiscardHandler)

// An ident is a key in the forms that both implementations want.
type ident struct {
	key  *ecdh.PrivateKey
	file *keys.File
}

func (i ident) public() []byte { return i.key.PublicKey().Bytes() }

// identity makes the key of 32 bytes n.
func identity(n byte) ident {
	raw := bytes.Repeat([]byte{n}, 32)
	private, err := keys.NewPrivateKey(raw)
	if err != nil {
		panic(err)
	}
	key, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		panic(err)
	}
	return ident{key: key, file: &keys.File{Version: 1, Name: "x", Private: private, Public: private.Public()}}
}

// A world has a server of either kind and clients of both, all on loopback.
type world struct {
	t       *testing.T
	hub     ident
	people  map[string]ident
	address string
	ours    *server.Server
	theirs  *Server
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, hub: identity(3), people: map[string]ident{"alice": identity(1), "bob": identity(2), "carol": identity(4)}}
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
	wg.Go(func() { _ = w.ours.Serve(context.Background(), ln) })
	w.t.Cleanup(func() {
		require.NoError(w.t, w.ours.Close())
		wg.Wait()
	})
	return w.ours
}

// serveTheirs starts the stranger's server; links gives the sessions.
func (w *world) serveTheirs(cfg LinkConfig) (links <-chan *Link) {
	cfg.MaxMessage = maxMessage
	w.theirs = &Server{Key: w.hub.key, Clients: map[string]string{}, Link: cfg}
	for name, id := range w.people {
		w.theirs.Clients[string(id.public())] = name
	}
	ln := w.listen()
	out := make(chan *Link, 16)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				if l, err := w.theirs.Serve(conn); err == nil {
					out <- l
					<-l.Done()
				}
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

// stranger dials with the stranger's client.
func (w *world) stranger(name string, cfg LinkConfig) *Client {
	cfg.MaxMessage = maxMessage
	c, err := Dial(w.conn(), w.people[name].key, w.hub.public(), Hello{Wanted: name}, cfg)
	require.NoError(w.t, err)
	require.Equal(w.t, name, c.Name)
	w.t.Cleanup(func() {
		c.Close(codeClosed, "")
		<-c.Done()
	})
	return c
}

// our dials with the module's client.
func (w *world) our(name string, mux *channel.Mux) *client.Client {
	f := *w.people[name].file
	f.Server = &keys.ServerRef{Address: w.address, Key: w.hub.file.Public}
	c, err := client.Dial(w.t.Context(), "", &client.Config{Keys: &f, Handler: mux, Logger: quiet, MaxMessage: maxMessage - messageCost})
	require.NoError(w.t, err)
	require.Equal(w.t, name, c.Name())
	w.t.Cleanup(func() {
		_ = c.Close()
		c.Wait()
	})
	return c
}

// pattern is a body that shows misplaced parts.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
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

// theirHandlers do the same.
func theirHandlers() map[string]func(*Message) {
	return map[string]func(*Message){
		"echo": func(m *Message) { _ = m.link.Send(m.Channel, m.Encoding, m.Body) },
		"ask":  func(m *Message) { _ = m.Answer(m.Encoding, m.Body) },
		"fail": func(m *Message) { m.AnswerError(300, "no luck") },
		"wait": func(m *Message) {
			if m.WaitCancel() == nil {
				m.AnswerError(codeCanceled, "")
			}
		},
		"take": func(*Message) {},
	}
}

func readAll(t *testing.T, r io.Reader) string {
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}
