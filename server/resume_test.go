package server_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// TestResume cuts a session's connection: it is away, and when it comes back everything goes on.
func TestResume(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		ctx := t.Context()
		m := w.member("alice", nil)
		require.EqualValues(t, 120, m.welcome.Grace)
		m.say("1")
		sess := m.session()
		synctest.Wait()
		_, away := sess.Away()
		require.False(t, away)

		m.cut()
		lost := time.Now()
		m.say("2")
		require.NoError(t, sess.Send(ctx, "news", []byte("a")))
		<-time.After(time.Minute)
		since, away := sess.Away()
		require.True(t, away)
		require.Equal(t, lost, since)
		require.Equal(t, 1, w.Stats().Away)
		require.Equal(t, 1, w.Stats().Sessions)
		require.True(t, sess.Stats().Away)
		require.NoError(t, sess.Context().Err())
		require.Equal(t, sess, m.session())
		require.Equal(t, []string{"1"}, got.all())

		require.NoError(t, m.comeBack())
		require.Equal(t, []string{"1", "2"}, got.all())
		require.Equal(t, []string{"a"}, m.got.all())
		require.NoError(t, sess.SendAcked(ctx, "news", []byte("b")))
		_, away = sess.Away()
		require.False(t, away)
		require.Zero(t, w.Stats().Away)
		require.EqualValues(t, 1, w.Stats().Resumed)
		require.EqualValues(t, 1, sess.Stats().Resumed)

		// Grace begins anew with each loss, and a timer that is left of an earlier one does nothing.
		<-time.After(100 * time.Second)
		m.cut()
		<-time.After(100 * time.Second)
		require.NoError(t, m.comeBack())
		m.say("3")
		require.Equal(t, []string{"1", "2", "3"}, got.all())
		<-time.After(time.Hour)
		require.NoError(t, sess.Context().Err())
		require.NotZero(t, sess.RoundTrip())
	})
}

// TestGraceIsOver lets a client be away for too long: its session ends with a reason, and so do the
// other ends of its pipes.
func TestGraceIsOver(t *testing.T) {
	inHub(t, func(s *server.Server) { s.Grace = 90*time.Second + time.Millisecond }, func(t *testing.T, w *bubble, got *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		require.EqualValues(t, 91, alice.welcome.Grace)
		pipe, err := bob.link.OpenPipe(wire.PipeOpen{ID: [16]byte{1}, Opener: "bob", Target: "alice"})
		require.NoError(t, err)
		synctest.Wait()
		sess := alice.session()
		alice.cut()
		<-time.After(90 * time.Second)
		synctest.Wait()
		require.NoError(t, sess.Context().Err())
		<-time.After(time.Millisecond)
		synctest.Wait()
		cause := context.Cause(sess.Context())
		require.ErrorIs(t, cause, channel.CodeTimeout)
		var lost *channel.LostError
		require.ErrorAs(t, cause, &lost)
		_, found := w.Session("alice")
		require.False(t, found)
		require.Equal(t, 1, w.Stats().Sessions)
		require.Zero(t, w.Stats().Ending+w.Stats().Away)
		_, away := sess.Away()
		require.False(t, away)
		_, err = pipe.Read(make([]byte, 1))
		require.ErrorIs(t, err, channel.CodeGone)

		requireRefused(t, channel.CodeNoSession, alice.comeBack())
		_, welcome, err := alice.show(alice.token(0, func(t *wire.Token) { t.Anew = true }))
		require.NoError(t, err)
		require.False(t, welcome.Resumed)
		require.NotEqual(t, alice.welcome.Session, welcome.Session)
		require.EqualValues(t, 1, w.Stats().ResumesRefused)
	})
}

// TestResumeWhileAlive resumes over a new connection while the old one looks alive: the newer wins at once.
func TestResumeWhileAlive(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		m := w.member("alice", nil)
		sess := m.session()
		m.say("1")
		synctest.Wait()
		old := m.raw
		old.Vanish() // what the client says does not arrive any more, and nobody is told
		m.say("2")
		synctest.Wait()
		began := time.Now()
		require.NoError(t, m.comeBack())
		require.NoError(t, sess.SendAcked(t.Context(), "news", []byte("a")))
		require.Equal(t, []string{"1", "2"}, got.all())
		require.Equal(t, began, time.Now(), "nothing was waited for")
		require.Zero(t, w.Stats().Away)
		_, err := old.Read(make([]byte, 1<<16))
		for err == nil {
			_, err = old.Read(make([]byte, 1<<16))
		}
		require.Error(t, err, "the old connection is closed")
	})
}

// TestResumesAtOnce has several connections come at once with tokens of one session: whatever their
// order, the one with the highest attempt has it then.
func TestResumesAtOnce(t *testing.T) {
	for round := range 4 {
		inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
			m := w.member("alice", nil)
			sess := m.session()
			m.say("1")
			synctest.Wait()
			if round%2 == 0 {
				m.cut()
			}
			over := m.conn.Handover()
			const n = 5
			tokens := make([]asker, n)
			for i := range tokens {
				tokens[i] = m.token(over.Position(), nil)
			}
			var all sync.WaitGroup
			conns, welcomes := make([]*secure.Conn, n), make([]wire.Welcome, n)
			for i, token := range tokens {
				all.Go(func() {
					other := &member{w: w, name: "alice"}
					conns[i], welcomes[i], _ = other.show(token)
				})
			}
			all.Wait()
			require.NotNil(t, conns[n-1], "nothing is higher")
			require.True(t, welcomes[n-1].Resumed)
			require.NoError(t, over.Attach(conns[n-1], welcomes[n-1].Position))
			m.say("2")
			require.NoError(t, sess.SendAcked(t.Context(), "news", []byte("a")))
			require.Equal(t, []string{"1", "2"}, got.all())
			for _, conn := range conns[:n-1] {
				if conn != nil {
					conn.CloseNow()
				}
			}
			synctest.Wait()
			_, away := sess.Away()
			require.False(t, away)
		})
	}
}

// TestNoResume has clients and servers that do not want it: the session ends with its connection.
func TestNoResume(t *testing.T) {
	t.Run("the client", func(t *testing.T) {
		inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
			raw := w.dial()
			conn, err := w.enter(raw, "alice", false)
			require.NoError(t, err)
			welcome, err := wire.ParseWelcome(conn.Welcome())
			require.NoError(t, err)
			require.Zero(t, welcome.Features)
			sess, _ := w.Session("alice")
			raw.Close()
			synctest.Wait()
			require.Error(t, sess.Context().Err())
			require.Zero(t, w.Stats().Sessions+w.Stats().Ending)
			_, away := sess.Away()
			require.False(t, away)
			require.Zero(t, sess.RoundTrip())
		})
	})
	t.Run("the server", func(t *testing.T) {
		inHub(t, func(s *server.Server) { s.Grace = -1 }, func(t *testing.T, w *bubble, got *received) {
			m := &member{w: w, name: "alice"}
			conn, welcome, err := m.shake(t.Context(), offer)
			require.NoError(t, err)
			require.Zero(t, welcome.Features)
			sess := m.session()
			m.cut()
			require.Error(t, sess.Context().Err())
			conn.CloseNow()
			_, _, err = m.show(m.token(0, nil))
			requireRefused(t, channel.CodeNoSession, err)
			_, welcome, err = m.show(m.token(0, func(t *wire.Token) { t.Anew = true }))
			require.NoError(t, err)
			require.Zero(t, welcome.Features)
		})
	})
}

// TestCrowdComesBack cuts 200 sessions at once, which all resume at once.
func TestCrowdComesBack(t *testing.T) {
	const n = 200
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("c", i)
	}
	inHubOf(t, names, nil, func(t *testing.T, w *bubble, got *received) {
		var all sync.WaitGroup
		members := make([]*member, n)
		for i := range members {
			all.Go(func() { members[i] = w.member(names[i], nil) })
		}
		all.Wait()
		for _, m := range members {
			m.say(m.name + " 1")
			m.raw.Cut()
		}
		for _, m := range members {
			m.say(m.name + " 2")
		}
		synctest.Wait()
		require.Equal(t, n, w.Stats().Away)
		for _, m := range members {
			all.Go(func() { require.NoError(t, m.comeBack()) })
		}
		all.Wait()
		last := map[string]string{}
		for _, text := range got.all() {
			var name, number string
			fmt.Sscan(text, &name, &number)
			last[name] += number
		}
		require.Len(t, last, n)
		for name, numbers := range last {
			require.Equal(t, "12", numbers, name)
		}
		require.Zero(t, w.Stats().Away)
		require.EqualValues(t, n, w.Stats().Resumed)
	})
}
