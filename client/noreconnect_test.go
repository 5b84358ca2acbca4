package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

func TestNoReconnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		never := func(c *client.Config) { c.NoReconnect = true }
		alice, bob := w.dial("alice", never), w.dial("bob", never)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)

		// It resumes all the same.
		w.net.cut()
		require.NoError(t, p.Send(ctx, "x", nil))
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		_, err = q.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, alice.State().Session)

		// But not for ever: the server keeps the session for two minutes.
		w.net.fail(true)
		begun := time.Now()
		var lost *channel.LostError
		require.ErrorAs(t, alice.Run(ctx), &lost)
		require.InDelta(t, 120, time.Since(begun).Seconds(), 4)
		<-p.Context().Done()
		for _, ended := range []context.Context{alice.Context(), p.Context()} {
			var why *client.SessionLostError
			require.ErrorAs(t, context.Cause(ended), &why)
			require.Equal(t, 2*time.Minute, why.Grace)
			require.ErrorIs(t, why, client.ErrSessionLost)
			require.ErrorContains(t, why, "for as long as it keeps a session, which is 2m0s: ")
		}
	})
}

func TestNoReconnectToAnotherServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		alice := w.dial("alice", func(c *client.Config) { c.NoReconnect = true })
		w.restart(nil)
		err := alice.Run(t.Context())
		var lost *channel.LostError
		require.ErrorAs(t, err, &lost)
		require.ErrorIs(t, err, channel.CodeNoSession)
		require.ErrorIs(t, err, client.ErrSessionLost)
		require.Empty(t, w.srv.Stats().SessionsBegun)
	})
}

// TestServerThatDoesNotResume loses a session with each connection.
func TestServerThatDoesNotResume(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w := newWorld(t, func(s *server.Server) {
			s.Grace = -1
			s.Handler.Handle("up", at.take)
		}, "alice")
		alice := w.dial("alice", nil)
		for i := range 3 {
			require.NoError(t, alice.SendAcked(ctx, "up", numbered(i, 0)))
			w.net.cut()
			await(t, alice, session(i+2))
		}
		require.Equal(t, upTo(3), at.taken())
		once := w.dial("alice", func(c *client.Config) { c.NoReconnect, c.Transient = true, true })
		w.net.cut()
		var lost *channel.LostError
		require.ErrorAs(t, once.Run(ctx), &lost)
	})
}
