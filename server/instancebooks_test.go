package server_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

func instance(n byte) func(*wire.Hello) {
	return func(h *wire.Hello) { h.Instance[0] = n }
}

// TestSentAgain has a client of at-least-once lose its session, without knowing what was taken: it
// sends all of it again in a new one, and nothing is taken twice.
func TestSentAgain(t *testing.T) {
	again := func(t *testing.T, w *bubble, books *link.Books, number byte) *member {
		m, err := w.tryMember("alice", books, instance(number))
		require.NoError(t, err)
		require.NoError(t, m.link.Resend(t.Context()))
		return m
	}
	for name, c := range map[string]struct {
		between func(t *testing.T, w *bubble, m *member)
		number  byte // of the instance that comes again
		kept    bool
		want    []string
	}{
		"at once": {func(*testing.T, *bubble, *member) {}, 1, true, []string{"1", "2"}},
		"after grace is over": {func(_ *testing.T, _ *bubble, m *member) { <-time.After(2*time.Minute + time.Second) }, 1, true,
			[]string{"1", "2"}},
		"after long":       {func(*testing.T, *bubble, *member) { <-time.After(4 * time.Minute) }, 1, false, []string{"1", "1", "2"}},
		"another instance": {func(*testing.T, *bubble, *member) {}, 2, false, []string{"1", "1", "2"}},
		"bob's of the same number": {func(t *testing.T, w *bubble, m *member) {
			_, err := w.tryMember("bob", nil, instance(1))
			require.NoError(t, err)
		}, 1, true, []string{"1", "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
				books := link.NewBooks(true)
				m := again(t, w, books, 1)
				record := m.welcome.Record
				require.NotZero(t, record)
				m.raw.Stall() // what the server tells does not arrive
				m.say("1")
				synctest.Wait()
				require.Equal(t, []string{"1"}, got.all())
				m.raw.Vanish()
				m.say("2")
				m.raw.Cut()
				m.leave()
				synctest.Wait()
				c.between(t, w, m)
				m = again(t, w, books, c.number)
				require.Equal(t, c.kept, record == m.welcome.Record)
				require.NotZero(t, m.welcome.Record)
				require.Equal(t, c.want, got.all())
			})
		})
	}
}

// TestOneOfAnInstance has an instance come again while its older session is there and its handler
// runs: the older ends, and the newer waits for the handler.
func TestOneOfAnInstance(t *testing.T) {
	for _, transient := range []bool{false, true} {
		var k worker
		inBubble(t, k.setUp(server.Limits{}), func(t *testing.T, w *bubble) {
			hello := func(h *wire.Hello) { instance(1)(h); h.Transient = transient }
			books := link.NewBooks(false) // the client's own
			older, err := w.tryMember("alice", books, hello)
			require.NoError(t, err)
			older.say("1")
			synctest.Wait()
			newer, err := w.tryMember("alice", books, hello)
			require.NoError(t, err)
			require.Equal(t, older.welcome.Record, newer.welcome.Record)
			newer.say("2")
			flushed := make(chan error, 1)
			go func() { flushed <- newer.link.Flush(context.Background()) }()
			synctest.Wait()
			require.Equal(t, 1, w.Stats().Sessions)
			require.Equal(t, 1, w.Stats().Ending)
			require.Empty(t, flushed, "it waits for the older one's handler")
			requireRefused(t, channel.CodeReplaced, older.comeBack())
			k.release <- struct{}{}
			require.NoError(t, <-flushed)
			k.release <- struct{}{}
			synctest.Wait()
			require.Zero(t, w.Stats().Ending)
		})
	}
}

// TestFinishedInstance ends a session in an orderly way: nothing of it is kept.
func TestFinishedInstance(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		m := w.member("alice", instance(1))
		require.NoError(t, m.link.Close(channel.CodeClosed, ""))
		synctest.Wait()
		require.NotEqual(t, m.welcome.Record, w.member("alice", instance(1)).welcome.Record)
	})
}

// TestNoInstance has nothing to mark, and neither has a session that goes on.
func TestNoInstance(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		require.Zero(t, w.member("bob", nil).welcome.Record)
		m := w.member("alice", instance(1))
		require.NotZero(t, m.welcome.Record)
		m.cut()
		_, welcome, err := m.show(m.token(0, nil))
		require.NoError(t, err)
		require.True(t, welcome.Resumed)
		require.Zero(t, welcome.Record)
	})
}

// TestManyInstances comes with ever new instances: a key keeps no more than its share, and pushes out its own.
func TestManyInstances(t *testing.T) {
	inHub(t, func(s *server.Server) { s.Limits.MaxTransient = 3 }, func(t *testing.T, w *bubble, got *received) {
		last := map[string][wire.IDSize]byte{}
		visit := func(name string, number byte) (kept bool) {
			m := w.member(name, instance(number))
			m.cut()
			sess := m.session()
			m.leave()
			w.mustEnter(name, false) // which replaces it
			<-sess.Context().Done()
			synctest.Wait()
			id := fmt.Sprint(name, number)
			kept = last[id] == m.welcome.Record
			last[id] = m.welcome.Record
			return kept
		}
		require.False(t, visit("bob", 1))
		for n := range byte(10) {
			require.False(t, visit("alice", n+1))
		}
		require.False(t, visit("alice", 1))
		require.True(t, visit("alice", 10))
		require.True(t, visit("bob", 1))
	})
}
