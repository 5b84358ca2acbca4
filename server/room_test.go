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

// TestAwayMakesRoom fills a server with sessions that are away: each newcomer gets the place of the
// one that has been away longest, and who is there keeps theirs.
func TestAwayMakesRoom(t *testing.T) {
	names := []string{"alice", "bob", "carol", "dave", "eve", "frank"}
	inHubOf(t, names, func(s *server.Server) { s.Limits.MaxSessions = 3 }, func(t *testing.T, w *bubble, got *received) {
		alice, bob, carol := w.member("alice", nil), w.member("bob", nil), w.member("carol", nil)
		w.refused("dave", false, channel.CodeLimit)
		of := map[string]*server.Session{"alice": alice.session(), "bob": bob.session(), "carol": carol.session()}
		bob.cut()
		<-time.After(time.Second)
		alice.cut()
		<-time.After(time.Second)
		require.NoError(t, bob.comeBack())
		<-time.After(time.Second)
		bob.cut() // now alice has been away longest

		w.member("dave", nil)
		require.ErrorIs(t, context.Cause(of["alice"].Context()), channel.CodeLimit)
		require.NoError(t, of["bob"].Context().Err())
		w.member("eve", nil)
		require.ErrorIs(t, context.Cause(of["bob"].Context()), channel.CodeLimit)
		w.refused("frank", false, channel.CodeLimit)
		require.NoError(t, of["carol"].Context().Err())
		require.Equal(t, 3, w.Stats().Sessions)
		requireRefused(t, channel.CodeNoSession, alice.comeBack())
	})
}

// TestOwnSessionMakesRoom has a client come anew to a full server, where its own session is away: no other makes room.
func TestOwnSessionMakesRoom(t *testing.T) {
	inHub(t, func(s *server.Server) { s.Limits.MaxSessions = 2 }, func(t *testing.T, w *bubble, got *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		bobs := bob.session()
		bob.cut()
		<-time.After(time.Second)
		alice.cut()
		w.member("alice", nil)
		require.NoError(t, bobs.Context().Err())
		require.NoError(t, bob.comeBack())
		requireRefused(t, channel.CodeReplaced, alice.comeBack())
	})
}

// TestTransientMakesRoom has one key use up its transient sessions: one of its own that is away
// makes room, and nobody else's.
func TestTransientMakesRoom(t *testing.T) {
	transient := func(h *wire.Hello) { h.Transient = true }
	inHub(t, func(s *server.Server) { s.Limits.MaxTransient = 2 }, func(t *testing.T, w *bubble, got *received) {
		bob := w.member("bob", transient)
		bob.cut()
		<-time.After(time.Second)
		lasting := w.member("alice", nil)
		lasting.cut()
		<-time.After(time.Second)
		first, second := w.member("alice", transient), w.member("alice", transient)
		w.refused("alice", true, channel.CodeLimit)
		first.cut()
		w.member("alice", transient)
		requireRefused(t, channel.CodeNoSession, first.comeBack())
		w.refused("alice", true, channel.CodeLimit)
		for _, m := range []*member{bob, lasting, second} {
			require.NoError(t, m.comeBack())
		}
	})
}

// TestRoomThatIsNotMade has the session that is away keep its place by a handler that does not
// return: the newcomer is refused after a second.
func TestRoomThatIsNotMade(t *testing.T) {
	var k worker
	inBubble(t, k.setUp(server.Limits{MaxSessions: 1}), func(t *testing.T, w *bubble) {
		m := w.member("alice", nil)
		m.say("x")
		synctest.Wait()
		m.cut()
		began := time.Now()
		w.refused("bob", false, channel.CodeLimit)
		require.Equal(t, time.Second, time.Since(began))
		close(k.release)
		synctest.Wait()
		w.mustEnter("bob", false)
	})
}
