// Package testworld makes, for tests, a server on loopback and clients that
// know each other. Everything is closed when the test ends.
package testworld

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// World is a server and the key files of those who know it.
type World struct {
	Server  *server.Server        // listens on loopback
	Address string                // where the server listens
	Net     *Net                  // what it listens on
	Files   map[string]*keys.File // the key files of the clients, by name

	t testing.TB
}

// NewKey makes the key file of a new identity.
func NewKey(t testing.TB, name string) *keys.File {
	t.Helper()
	key, err := keys.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return &keys.File{Name: name, Public: key.Public(), Private: key, Peers: map[string]keys.PublicKey{}}
}

// New starts a server for clients of the given names, who are all each other's peers. change may
// set it up further before it starts. Its log is dropped unless change sets another logger.
func New(t testing.TB, names []string, change func(*server.Server)) *World {
	t.Helper()
	w := &World{t: t, Files: map[string]*keys.File{}, Net: new(Net)}
	own := NewKey(t, keys.ServerName)
	own.Clients = map[string]keys.PublicKey{}
	for _, name := range names {
		w.Files[name] = NewKey(t, name)
		own.Clients[name] = w.Files[name].Public
	}
	for _, a := range names {
		for _, b := range names {
			if a != b {
				w.Files[a].Peers[b] = w.Files[b].Public
			}
		}
	}
	w.Server = &server.Server{Keys: own, Logger: silent()}
	if change != nil {
		change(w.Server)
	}
	w.Address = w.Serve(w.Net.Listener)
	for _, f := range w.Files {
		f.Server = &keys.ServerRef{Address: w.Address, Key: own.Public}
	}
	return w
}

// Serve lets the server listen on one more port of loopback, through what wrap makes of the
// listener, and returns its address.
func (w *World) Serve(wrap func(net.Listener) net.Listener) string {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Server.Serve(context.Background(), wrap(ln)) }()
	w.t.Cleanup(func() {
		if err := w.Server.Close(); err != nil {
			w.t.Error(err)
		}
		if err := <-done; !errors.Is(err, server.ErrServerClosed) {
			w.t.Error(err)
		}
	})
	return ln.Addr().String()
}

// Dial connects a client by its key file's name.
func (w *World) Dial(name string, change func(*client.Config)) *client.Client {
	w.t.Helper()
	c, err := w.TryDial(name, change)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// TryDial is Dial for a client that may not get in.
func (w *World) TryDial(name string, change func(*client.Config)) (*client.Client, error) {
	cfg := &client.Config{Keys: w.Files[name], Logger: silent()}
	if change != nil {
		change(cfg)
	}
	c, err := client.Dial(context.Background(), "", cfg)
	if err == nil {
		w.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// Echo is a handler that answers messages and requests with themselves.
func Echo(ctx context.Context, from channel.Conn, m *channel.Message) error {
	if m.IsRequest() {
		return m.Reply(ctx, m.Body)
	}
	return from.Send(ctx, m.Channel, m.Body)
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
