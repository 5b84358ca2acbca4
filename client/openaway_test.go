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

// TestPipeToOneWhoIsAway: who does not answer is told apart by a code, within Config.Timeout, and can
// be reached again when it is back.
func TestPipeToOneWhoIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, func(s *server.Server) { s.Grace = time.Minute }, "alice", "bob")
		bobs, forBob := w.apart()
		alice, bob := w.dial("alice", nil), w.dial("bob", forBob)
		bobs.fail(true)
		await(t, bob, phase(client.Resuming))

		begun := time.Now()
		_, err := alice.OpenPipe(ctx, "bob")
		require.Equal(t, 10*time.Second, time.Since(begun), "the default of Config.Timeout")
		var e *channel.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, channel.CodeTimeout, e.Code)
		require.False(t, e.Remote)

		bobs.fail(false)
		await(t, bob, phase(client.Online))
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		require.NoError(t, p.Close())
	})
}

// TestPipeWaitsForOneWhoIsAway: with a long Config.PipeTimeout one OpenPipe waits until he is back,
// and those that were given up before are counted no more then.
func TestPipeWaitsForOneWhoIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(s *server.Server) { s.Grace = time.Hour }, "alice", "bob")
		bobs, forBob := w.apart()
		alice := w.dial("alice", func(cfg *client.Config) { cfg.PipeTimeout = time.Hour })
		bob := w.dial("bob", forBob)
		bobs.fail(true)
		await(t, bob, phase(client.Resuming))

		opened := make(chan error, 1)
		go func() {
			_, err := alice.OpenPipe(t.Context(), "bob")
			opened <- err
		}()
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			_, err := alice.OpenPipe(ctx, "bob")
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		_, err := alice.OpenPipe(t.Context(), "bob")
		require.ErrorIs(t, err, channel.CodeBusy, "those given up count")
		require.Empty(t, opened)
		bobs.fail(false)
		await(t, bob, phase(client.Online))
		require.NoError(t, <-opened)
		_, err = alice.OpenPipe(t.Context(), "bob")
		require.NoError(t, err)
	})
}
