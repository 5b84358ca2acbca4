package client_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

// stubborn is a bob whose handlers of "x" run until they are told to stop, whatever their ctx says.
func (w *world) stubborn(ctx context.Context) (bob *client.Client, running *atomic.Int64, stop chan struct{}) {
	bob = w.dial("bob", nil)
	running, stop = new(atomic.Int64), make(chan struct{})
	bob.Handle("x", func(context.Context, channel.Conn, *channel.Message) error {
		defer running.Add(-1)
		running.Add(1)
		select {
		case <-stop:
		case <-ctx.Done(): // the test's
		}
		return nil
	})
	go bob.Run(ctx)
	return bob, running, stop
}

// TestPipesLeftBehind has a peer open one pipe after another, say something and close it: each
// counts until its handlers have returned.
func TestPipesLeftBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob", "carol")
		bob, running, stop := w.stubborn(ctx)
		alice := w.dial("alice", nil)
		for range 64 {
			p, err := alice.OpenPipe(ctx, "bob")
			require.NoError(t, err)
			require.NoError(t, p.Send(ctx, "x", nil))
			synctest.Wait()
			require.NoError(t, p.Close())
		}
		require.EqualValues(t, 64, running.Load())
		synctest.Wait() // bob's side of the last one
		require.Empty(t, bob.Pipes())
		_, err := alice.OpenPipe(ctx, "bob")
		require.ErrorIs(t, err, channel.CodeBusy)
		_, err = w.dial("carol", nil).OpenPipe(ctx, "bob")
		require.NoError(t, err, "she has none")
		close(stop)
		synctest.Wait()
		_, err = alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		require.Len(t, bob.Pipes(), 2)
	})
}

// TestPipesLeftWaiting has a peer be lost instead of closing: those that wait make room, but only
// as long as not too many handlers run on.
func TestPipesLeftWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, func(s *server.Server) { s.Grace = -1 }, "alice", "bob")
		bob, running, stop := w.stubborn(ctx)
		open := func() error {
			alices, forAlice := w.apart()
			alice := w.dial("alice", func(c *client.Config) {
				forAlice(c)
				c.NoReconnect = true
			})
			p, err := alice.OpenPipe(ctx, "bob")
			if err == nil {
				require.NoError(t, p.Send(ctx, "x", nil))
				synctest.Wait()
			}
			alices.fail(true)
			synctest.Wait()
			return err
		}
		for range 128 {
			require.NoError(t, open())
		}
		require.Len(t, bob.Pipes(), 64)
		require.EqualValues(t, 128, running.Load())
		require.ErrorIs(t, open(), channel.CodeBusy)
		require.Len(t, bob.Pipes(), 64)
		close(stop)
		synctest.Wait()
		require.Zero(t, running.Load())
		require.NoError(t, open())
		require.Len(t, bob.Pipes(), 64)
	})
}
