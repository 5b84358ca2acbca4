package server_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// worker is a handler that works until it is told to stop, and if it heeds its ctx, until that ends.
type worker struct {
	heeds   bool
	release chan struct{}
}

func (k *worker) setUp(limits server.Limits) func(*server.Server) {
	return func(s *server.Server) {
		k.release = make(chan struct{})
		s.Limits = limits
		s.Handler = new(channel.Mux)
		s.Handler.Handle("work", func(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
			done := ctx.Done()
			if !k.heeds {
				done = nil
			}
			select {
			case <-done:
			case <-k.release:
			}
			return nil
		})
	}
}

// bye closes a connection in an orderly way, which gives its handlers time.
func bye(t *testing.T, conn *secure.Conn) {
	t.Helper()
	synctest.Wait()
	go io.Copy(io.Discard, conn)
	_, err := conn.Write(wire.AppendReason(nil, wire.TypeClose, 0, wire.Reason{}))
	require.NoError(t, err)
	_ = conn.CloseWrite() // the server may have closed already
	synctest.Wait()
	conn.CloseNow()
	synctest.Wait()
}

// TestHandlersCount has sessions end whose handlers run on: they count until those return.
func TestHandlersCount(t *testing.T) {
	for name, c := range map[string]struct {
		limits    server.Limits
		transient bool
	}{
		"MaxSessions":  {server.Limits{MaxSessions: 1}, false},
		"MaxTransient": {server.Limits{MaxTransient: 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var k worker
			inBubble(t, k.setUp(c.limits), func(t *testing.T, w *bubble) {
				conn := w.mustEnter("alice", c.transient)
				say(t, conn)
				bye(t, conn)
				require.Equal(t, 0, w.Stats().Sessions)
				require.Equal(t, 1, w.Stats().Ending)
				w.refused("alice", c.transient, channel.CodeLimit)
				close(k.release)
				synctest.Wait()
				require.Zero(t, w.Stats().Ending)
				w.mustEnter("alice", c.transient)
			})
		})
	}
}

// TestReplacedTwice replaces the session of a client that reads nothing, which takes a while to
// end; when it is replaced again that one is cut at once. A key does not hold more by coming again
// and again.
func TestReplacedTwice(t *testing.T) {
	k := worker{heeds: true}
	inBubble(t, k.setUp(server.Limits{}), func(t *testing.T, w *bubble) {
		began := time.Now()
		for i := range 20 {
			say(t, w.mustEnter("alice", false))
			synctest.Wait()
			require.Equal(t, 1, w.Stats().Sessions)
			require.Equal(t, min(i, 1), w.Stats().Ending)
		}
		require.Equal(t, began, time.Now(), "nothing was waited for")
	})
}

// TestHandlersThatStay has a key come again and again whose handlers do not heed their ctx: it is
// refused before it fills the server.
func TestHandlersThatStay(t *testing.T) {
	var k worker
	inBubble(t, k.setUp(server.Limits{MaxTransient: 3}), func(t *testing.T, w *bubble) {
		for range 5 {
			say(t, w.mustEnter("alice", false))
			synctest.Wait()
		}
		w.refused("alice", false, channel.CodeLimit)
		w.mustEnter("bob", false)
		close(k.release)
		synctest.Wait()
		w.mustEnter("alice", false)
	})
}

// TestShutdownWaitsForHandlers has a handler of a session that has ended: Shutdown waits for it,
// until ctx ends, and Close does not.
func TestShutdownWaitsForHandlers(t *testing.T) {
	var k worker
	linger := func(t *testing.T, w *bubble) {
		conn := w.mustEnter("alice", false)
		say(t, conn)
		bye(t, conn)
	}
	t.Run("until they return", func(t *testing.T) {
		inBubble(t, k.setUp(server.Limits{}), func(t *testing.T, w *bubble) {
			linger(t, w)
			down := make(chan error, 1)
			go func() { down <- w.Shutdown(context.Background()) }()
			synctest.Wait()
			require.Empty(t, down)
			close(k.release)
			require.NoError(t, <-down)
			require.Zero(t, w.Stats().Ending)
		})
	})
	t.Run("until ctx ends", func(t *testing.T) {
		inBubble(t, k.setUp(server.Limits{}), func(t *testing.T, w *bubble) {
			linger(t, w)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			require.ErrorIs(t, w.Shutdown(ctx), context.DeadlineExceeded)
			require.Equal(t, 1, w.Stats().Ending)
			close(k.release)
		})
	})
	t.Run("Close", func(t *testing.T) {
		inBubble(t, k.setUp(server.Limits{}), func(t *testing.T, w *bubble) {
			linger(t, w)
			require.NoError(t, w.Server.Close())
			require.Equal(t, 1, w.Stats().Ending)
			close(k.release)
		})
	})
	t.Run("Close ends their ctx", func(t *testing.T) {
		k := worker{heeds: true}
		inBubble(t, k.setUp(server.Limits{}), func(t *testing.T, w *bubble) {
			linger(t, w)
			began := time.Now()
			require.NoError(t, w.Server.Close())
			synctest.Wait()
			require.Zero(t, w.Stats().Ending)
			require.Equal(t, began, time.Now())
		})
	})
}
