package client_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

// TestMessages reads from some channels of a client and of a pipe, and leaves the others.
func TestMessages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		alice, bob := w.dial("alice", nil), w.dial("bob", nil)
		p, err := bob.OpenPipe(ctx, "alice")
		require.NoError(t, err)
		q, err := alice.AcceptPipe(ctx)
		require.NoError(t, err)
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		for _, from := range []channel.Conn{sess, p} {
			for _, name := range []string{"other", "a", "b", "a"} {
				require.NoError(t, from.Send(ctx, name, nil))
			}
		}
		for _, at := range []interface {
			channel.Conn
			Receive(context.Context, ...string) (*channel.Message, error)
		}{alice, q} {
			m, err := at.Receive(ctx, "b")
			require.NoError(t, err)
			require.Equal(t, "b", m.Channel)
		}
		n := 0
		for m := range alice.Messages(ctx, "a", "b") {
			require.Equal(t, "a", m.Channel)
			if n++; n == 2 {
				break
			}
		}
		for m := range q.Messages(ctx, "a") {
			require.Equal(t, "a", m.Channel)
			if n++; n == 4 {
				break
			}
		}
		for m := range alice.Messages(ctx) {
			require.Equal(t, "other", m.Channel)
			break
		}

		// ctx ends it, and so does the connection.
		stopped, stop := context.WithCancel(ctx)
		stop()
		require.NoError(t, sess.Send(ctx, "other", nil))
		synctest.Wait() // it is there
		for range alice.Messages(stopped) {
			t.Error("ctx had ended")
		}
		_, err = alice.Receive(ctx, "other")
		require.NoError(t, err)
		for _, bad := range []string{"", "a b", "a\nb"} {
			var name *keys.NameError
			_, err = alice.Receive(ctx, "a", bad)
			require.ErrorAs(t, err, &name)
			_, err = q.Receive(ctx, bad)
			require.ErrorAs(t, err, &name)
			require.Panics(t, func() { alice.Messages(ctx, "a", bad) })
			require.Panics(t, func() { q.Messages(ctx, bad) })
		}
		require.NoError(t, p.Close())
		for m := range q.Messages(ctx) {
			require.Equal(t, "other", m.Channel)
		}
		require.NoError(t, alice.Close())
		for range alice.Messages(ctx) {
			t.Error("it was closed")
		}
	})
}

// reopened waits until a pipe has another link than its first.
func reopened(ctx context.Context, p *client.Pipe) {
	for p.Stats().Reconnects == 0 {
		_, _ = p.Ping(ctx) // on the link that was lost, or the next
	}
}

func TestStats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		alice, bob := w.dial("alice", nil), w.dial("bob", nil)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		require.NoError(t, p.Send(ctx, "x", make([]byte, 10_000)))
		_, err = q.Receive(ctx)
		require.NoError(t, err)
		require.NoError(t, p.Flush(ctx))
		before := alice.Stats()
		require.Greater(t, before.BytesSent, p.Stats().BytesSent)
		require.Greater(t, p.Stats().BytesSent, uint64(10_000))
		require.Greater(t, q.Stats().BytesReceived, uint64(10_000))
		require.NotNil(t, before.Addr)
		require.NotNil(t, before.LocalAddr)
		require.Nil(t, p.Stats().Addr)
		require.Zero(t, before.Reconnects)
		require.Equal(t, before.Since, p.Stats().Since)

		w.net.cut()
		_, err = alice.Ping(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, alice.Stats().Reconnects)
		require.Zero(t, p.Stats().Reconnects, "nothing was noticed there")
		w.restart(nil)
		await(t, alice, session(2))
		reopened(ctx, p)
		after := alice.Stats()
		require.EqualValues(t, 2, after.Reconnects)
		require.EqualValues(t, 1, p.Stats().Reconnects)
		require.Greater(t, after.BytesSent, before.BytesSent)
		require.Greater(t, p.Stats().BytesSent, uint64(10_000))
		require.Equal(t, before.Since, after.Since)
		require.Zero(t, after.Queued)
	})
}
