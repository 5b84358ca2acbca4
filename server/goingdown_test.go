package server_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// down are the ways in which a server ends without waiting for handlers.
var down = map[string]func(t *testing.T, w *bubble){
	"Close": func(t *testing.T, w *bubble) { require.NoError(t, w.Close()) },
	"a drain that takes too long": func(t *testing.T, w *bubble) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		require.ErrorIs(t, w.Shutdown(ctx), context.DeadlineExceeded)
	},
}

// TestClientsHearOfTheEnd ends a server at once, while a handler runs: clients are told why and
// when to come back, and what they ask meanwhile ends with that.
func TestClientsHearOfTheEnd(t *testing.T) {
	for name, end := range down {
		t.Run(name, func(t *testing.T) {
			k := worker{heeds: true}
			inBubble(t, func(s *server.Server) {
				k.setUp(server.Limits{})(s)
				s.ReturnAfter = 3 * time.Second
			}, func(t *testing.T, w *bubble) {
				alice, bob := w.member("alice", nil), w.member("bob", nil)
				asked := make(chan error, 1)
				go func() { _, err := alice.link.Request(context.Background(), "work", channel.Raw, nil); asked <- err }()
				synctest.Wait()
				begun := time.Now()
				end(t, w)
				require.LessOrEqual(t, time.Since(begun), 5*time.Second, "nothing kept it")
				for _, m := range []*member{alice, bob} {
					d := <-m.retry
					require.GreaterOrEqual(t, d, 3*time.Second)
					require.Less(t, d, 3*time.Second+2*2*time.Millisecond)
					<-m.link.Context().Done()
					var closed *channel.CloseError
					require.ErrorAs(t, context.Cause(m.link.Context()), &closed)
					require.Equal(t, channel.CodeShutdown, closed.Code)
				}
				require.ErrorIs(t, <-asked, channel.CodeShutdown)
				synctest.Wait()
				require.Zero(t, w.Stats().Sessions+w.Stats().Ending, "the handler's ctx has ended, too")
			})
		})
	}
}

// TestWhoDoesNotHearTheEnd has a client whose connection takes nothing any more: it is cut, and
// does not keep the server for long.
func TestWhoDoesNotHearTheEnd(t *testing.T) {
	for name, end := range down {
		t.Run(name, func(t *testing.T) {
			k := worker{heeds: true}
			inBubble(t, k.setUp(server.Limits{}), func(t *testing.T, w *bubble) {
				m := w.member("alice", nil)
				sess := m.session()
				m.say("x")
				synctest.Wait()
				m.raw.Stall()
				begun := time.Now()
				end(t, w)
				require.Less(t, time.Since(begun), 5*time.Second+1200*time.Millisecond)
				require.Error(t, sess.Context().Err())
				require.Zero(t, w.Stats().Sessions)
			})
		})
	}
}

// TestCloseKeepsOtherReasons closes a server while it tells a client something else.
func TestCloseKeepsOtherReasons(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *bubble) {
		older := w.member("alice", nil)
		newer := w.member("alice", func(h *wire.Hello) { h.Instance = [wire.IDSize]byte{2} })
		require.NoError(t, w.Close())
		<-older.link.Context().Done()
		require.ErrorIs(t, context.Cause(older.link.Context()), channel.CodeReplaced)
		<-newer.link.Context().Done()
		require.ErrorIs(t, context.Cause(newer.link.Context()), channel.CodeShutdown)
	})
}
