package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// world is a server on loopback and the key files of those who know it.
type world struct {
	t     testing.TB
	srv   *server.Server
	addr  string
	files map[string]*keys.File
	done  chan error
}

// newKey makes the key file of an identity.
func newKey(t testing.TB, name string) *keys.File {
	t.Helper()
	key, err := keys.GeneratePrivateKey()
	require.NoError(t, err)
	return &keys.File{Name: name, Public: key.Public(), Private: key, Peers: map[string]keys.PublicKey{}}
}

// newWorld starts a server for clients of the given names, who all know each other. change may set it up further before it starts.
func newWorld(t testing.TB, names []string, change func(*server.Server)) *world {
	t.Helper()
	w := &world{t: t, files: map[string]*keys.File{}, done: make(chan error, 1)}
	own := newKey(t, keys.ServerName)
	own.Clients = map[string]keys.PublicKey{}
	for _, name := range names {
		w.files[name] = newKey(t, name)
		own.Clients[name] = w.files[name].Public
	}
	for _, a := range names {
		for _, b := range names {
			if a != b {
				w.files[a].Peers[b] = w.files[b].Public
			}
		}
	}
	w.srv = &server.Server{Keys: own, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(w.srv)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.addr = ln.Addr().String()
	for _, f := range w.files {
		f.Server = &keys.ServerRef{Address: w.addr, Key: own.Public}
	}
	go func() { w.done <- w.srv.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		require.NoError(t, w.srv.Close())
		require.ErrorIs(t, <-w.done, server.ErrServerClosed)
	})
	return w
}

// dial connects a client, which is closed when the test ends.
func (w *world) dial(name string, change func(*client.Config)) *client.Client {
	w.t.Helper()
	c, err := w.tryDial(name, change)
	require.NoError(w.t, err)
	return c
}

func (w *world) tryDial(name string, change func(*client.Config)) (*client.Client, error) {
	cfg := &client.Config{Keys: w.files[name], Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(cfg)
	}
	c, err := client.Dial(context.Background(), "", cfg)
	if err == nil {
		w.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// echo answers messages and requests with themselves.
func echo(ctx context.Context, from channel.Conn, m *channel.Message) error {
	if m.IsRequest() {
		return m.Reply(ctx, m.Body)
	}
	return from.Send(ctx, m.Channel, m.Body)
}
