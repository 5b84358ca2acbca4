package server_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

// TestWhoIsRefusedMakesNobodyLeave fills an open server, where bob is away: strangers who cannot
// have the name that they ask for do not cost him his session.
func TestWhoIsRefusedMakesNobodyLeave(t *testing.T) {
	inHub(t, func(s *server.Server) {
		s.Keys.Open, s.Limits.MaxSessions = true, 2
		s.Names, _ = server.OpenNames("", &server.NamesConfig{Max: 1})
	}, func(t *testing.T, w *bubble, got *received) {
		for _, name := range []string{"dora", "mallory", "Dora"} {
			w.files[name] = testworld.NewKey(t, name)
		}
		dora := w.member("dora", nil) // hers is a name of the book, which is full now
		require.NoError(t, dora.link.Close(channel.CodeClosed, ""))
		synctest.Wait()
		w.member("alice", nil)
		bob := w.member("bob", nil)
		bob.cut()
		for name, code := range map[string]channel.Code{"mallory": channel.CodeLimit, "Dora": channel.CodeNameTaken} {
			w.refused(name, false, code)
		}
		require.NoError(t, bob.session().Context().Err())
		require.NoError(t, bob.comeBack())
	})
}

// TestWhoIsIdleMakesRoom has the one that has been away longest keep its session while its handler
// runs, because another's place is free at once.
func TestWhoIsIdleMakesRoom(t *testing.T) {
	var k worker
	inBubbleOf(t, []string{"alice", "bob", "carol", "dave"}, k.setUp(server.Limits{MaxSessions: 2}), func(t *testing.T, w *bubble) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		busy, idle := alice.session(), bob.session()
		alice.say("x")
		synctest.Wait()
		alice.cut()
		<-time.After(time.Second)
		bob.cut()
		began := time.Now()
		w.mustEnter("carol", false)
		require.Equal(t, began, time.Now())
		require.ErrorIs(t, idle.Send(t.Context(), "x", nil), channel.CodeLimit)
		require.NoError(t, busy.Context().Err())

		// Now it is the only one that is away, and its handler does not return in time.
		w.refused("dave", false, channel.CodeLimit)
		require.Equal(t, time.Second, time.Since(began))
		require.Error(t, busy.Context().Err())
		close(k.release)
		synctest.Wait()
		w.mustEnter("dave", false)
	})
}

// TestMadeRoomIsKept has others come just when the one that was away is over: the place is the
// one's for whom it was made.
func TestMadeRoomIsKept(t *testing.T) {
	for range 10 {
		var k worker
		inBubbleOf(t, []string{"alice", "bob", "carol"}, k.setUp(server.Limits{MaxSessions: 1}), func(t *testing.T, w *bubble) {
			alice := w.member("alice", nil)
			alice.say("x")
			synctest.Wait()
			alice.cut()
			entered := make(chan error, 1)
			go func() {
				_, err := w.enter(w.dial(), "bob", false)
				entered <- err
			}()
			synctest.Wait()
			require.Empty(t, entered)

			var others sync.WaitGroup
			refused := new(atomic.Int32)
			for range 8 {
				others.Go(func() {
					if _, err := w.enter(w.dial(), "carol", true); err != nil {
						if refused.Add(1) == 4 {
							close(k.release)
						}
					}
				})
			}
			others.Wait()
			require.NoError(t, <-entered)
			require.EqualValues(t, 8, refused.Load())
			require.Equal(t, 1, w.Stats().Sessions)
		})
	}
}
