package client_test

import (
	"context"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

// mortal makes a world in which sessions end with their connections.
func mortal(t *testing.T, names ...string) people {
	return people{testworld.New(t, names, func(s *server.Server) { s.Grace = -1 })}
}

func noReconnect(c *client.Config) { c.NoReconnect = true }

func TestPeerGoes(t *testing.T) {
	ctx := t.Context()
	w := mortal(t, "alice", "bob")
	var raw net.Conn
	alice := w.Dial("alice", noReconnect)
	w.Dial("bob", func(c *client.Config) {
		c.NoReconnect = true
		c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			var err error
			raw, err = new(net.Dialer).DialContext(ctx, network, address)
			return raw, err
		}
	})
	p, err := alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)
	require.NoError(t, p.Send(ctx, "news", []byte("is not taken")))
	raw.Close()
	require.ErrorIs(t, p.Flush(ctx), channel.CodeGone)
	<-p.Context().Done()
	require.ErrorIs(t, context.Cause(p.Context()), channel.CodeGone)
	require.NoError(t, alice.Context().Err())
	for _, there := w.Server.Session("bob"); there; _, there = w.Server.Session("bob") {
		runtime.Gosched() // the pipe's end comes a moment before the session is forgotten
	}
	_, err = alice.OpenPipe(ctx, "bob")
	require.ErrorIs(t, err, channel.CodeNotConnected)
}

func TestServerGoes(t *testing.T) {
	ctx := t.Context()
	w := mortal(t, "alice")
	alice := w.Dial("alice", noReconnect)
	require.NoError(t, w.Server.Close())
	_, err := alice.Receive(ctx)
	for what, err := range map[string]error{"receive": err, "run": alice.Run(ctx), "send": alice.Send(ctx, "x", nil)} {
		var closed *channel.CloseError
		require.ErrorAs(t, err, &closed, what)
		require.Equal(t, channel.CodeShutdown, closed.Code, what)
		require.ErrorIs(t, err, client.ErrSessionLost, what)
	}
}

// TestCutsOverTCP resets real connections under traffic in both directions.
func TestCutsOverTCP(t *testing.T) {
	const messages = 4000
	ctx := t.Context()
	w := people{testworld.New(t, []string{"alice"}, func(s *server.Server) {
		s.Handler = new(channel.Mux)
		s.Handler.Handle("echo", testworld.Echo)
	})}
	raws := make(chan *net.TCPConn, 100)
	alice := w.Dial("alice", func(c *client.Config) {
		c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			raw, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				raws <- raw.(*net.TCPConn)
			}
			return raw, err
		}
	})
	sent := make(chan error, 1)
	go func() {
		for i := range messages {
			if i%1000 == 500 {
				raw := <-raws
				raw.SetLinger(0)
				raw.Close()
			}
			if err := alice.Send(ctx, "echo", numbered(i, 200)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range messages {
		m, err := alice.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, numbered(i, 200), m.Body)
	}
	require.NoError(t, <-sent)
	require.Equal(t, 1, alice.State().Session)
}
