package server_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/server"
)

// TestOverflowKeepsOrder: what goes to many and has to wait for one, what is left out behind it, and
// what the session is sent by itself arrive in their order, and nobody has waited.
func TestOverflowKeepsOrder(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", nil)
		hold := make(chan struct{})
		var got []string
		alice.mux.Handle("flood", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			<-hold
			head, _, _ := strings.Cut(string(m.Body), " ")
			got = append(got, fmt.Sprint(head, " missed ", m.Missed))
			return nil
		})
		fill := strings.Repeat("x", 16<<10)
		began := time.Now()
		var want []string
		for i := range 10 {
			report, err := w.Broadcast(t.Context(), "flood", []byte(strconv.Itoa(i)+" "+fill))
			require.NoError(t, err)
			require.Equal(t, 1, report.Reached)
			want = append(want, fmt.Sprint(i, " missed 0"))
		}
		for range 2 {
			report, err := w.TryBroadcast(&channel.Message{Channel: "flood", Body: []byte("left out")})
			require.NoError(t, err)
			require.Zero(t, report.Reached)
		}
		report, err := w.Broadcast(t.Context(), "flood", []byte("behind"))
		require.NoError(t, err)
		require.Equal(t, 1, report.Reached)
		require.Zero(t, time.Since(began))
		require.Greater(t, alice.session().Stats().Queued, 3*len(fill))

		sent := make(chan error, 1)
		go func() { sent <- alice.session().Send(t.Context(), "flood", []byte("last")) }()
		synctest.Wait()
		require.Empty(t, sent, "it waits for its turn")
		quick := alice.listen("other")
		require.NoError(t, alice.session().Send(t.Context(), "other", []byte("not behind anything")))
		require.Equal(t, []string{"not behind anything"}, quick.texts())

		close(hold)
		require.NoError(t, <-sent)
		require.NoError(t, alice.session().Flush(t.Context()))
		synctest.Wait()
		require.Equal(t, append(want, "behind missed 2", "last missed 0"), got)
		require.Zero(t, alice.session().Stats().Queued)
	})
}

// TestOverflowOfWhoIsAway: one that has been away for a while keeps its place, and what was sent to
// it, as long as there is room; then it has to go, and nobody waits for that either.
func TestOverflowOfWhoIsAway(t *testing.T) {
	const queue = 64 << 10
	small := func(s *server.Server) {
		allowAll(s)
		s.Limits = server.Limits{SendQueue: queue, ResumeBuffer: 192 << 10}
	}
	for name, n := range map[string]int{"room": 5, "none": 40} {
		t.Run(name, func(t *testing.T) {
			inHub(t, small, func(t *testing.T, w *bubble, _ *received) {
				alice := w.member("alice", nil)
				heard := alice.listen("flood")
				sess := alice.session()
				alice.cut()
				<-time.After(time.Second)
				began, reached := time.Now(), 0
				for range n {
					report, err := w.Broadcast(t.Context(), "flood", make([]byte, 16<<10))
					require.NoError(t, err)
					reached += report.Reached
				}
				require.Zero(t, time.Since(began))
				if name == "none" {
					require.Less(t, reached, 20)
					require.EqualValues(t, 1, w.Stats().TooSlow)
					<-sess.Context().Done()
					return
				}
				require.Equal(t, n, reached)
				<-time.After(time.Minute) // many times SlowTimeout
				require.NoError(t, alice.comeBack())
				<-time.After(time.Second)
				require.Len(t, heard.take(), n)
			})
		})
	}
}

// slowly has a member take one message of "flood" in each interval.
func (m *member) slowly(t *testing.T, interval time.Duration) (taken *int) {
	taken = new(int)
	m.mux.Handle("flood", func(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
		*taken++
		select {
		case <-time.After(interval):
		case <-t.Context().Done():
		}
		return nil
	})
	return taken
}

// TestOverflowIsDelivered: a session that is closed, and a server that goes down, first give what waits.
func TestOverflowIsDelivered(t *testing.T) {
	for name, end := range map[string]func(*bubble, *server.Session) error{
		"close":    func(_ *bubble, s *server.Session) error { return s.Close() },
		"shutdown": func(w *bubble, _ *server.Session) error { return w.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
				alice := w.member("alice", nil)
				taken := alice.slowly(t, 50*time.Millisecond)
				for range 20 {
					report, err := w.Broadcast(t.Context(), "flood", make([]byte, 10<<10))
					require.NoError(t, err)
					require.Equal(t, 1, report.Reached)
				}
				require.NoError(t, end(w, alice.session()))
				<-time.After(time.Second)
				require.Equal(t, 20, *taken)
			})
		})
	}
}

// TestOverflowIsLost: what a session cannot be given in time when it is closed is told.
func TestOverflowIsLost(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", nil)
		alice.slowly(t, time.Hour)
		for range 20 {
			_, err := w.Broadcast(t.Context(), "flood", make([]byte, 10<<10))
			require.NoError(t, err)
		}
		var lost *channel.LostError
		require.ErrorAs(t, alice.session().Close(), &lost)
	})
}

// TestKickDoesNotWait: one that is kicked is not served until it has taken what waits for it.
func TestKickDoesNotWait(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, got *received) {
		alice := w.member("alice", nil)
		alice.slowly(t, time.Hour)
		for range 20 {
			_, err := w.Broadcast(t.Context(), "flood", make([]byte, 10<<10))
			require.NoError(t, err)
		}
		sess, kicked := alice.session(), make(chan error, 1)
		go func() { kicked <- sess.CloseWithReason(channel.CodeKicked, "") }()
		synctest.Wait()
		_ = alice.link.Send(t.Context(), "work", channel.Raw, []byte("x")) // an error if it has heard by now
		require.Empty(t, got.all())
		var lost *channel.LostError
		require.ErrorAs(t, <-kicked, &lost)
		var closed *channel.CloseError
		<-alice.link.Context().Done()
		require.ErrorAs(t, context.Cause(alice.link.Context()), &closed)
		require.Equal(t, channel.CodeKicked, closed.Code)
	})
}

// TestOverflowIsRefused: Flush tells that a client does not handle the channel, also if what waited has heard it first.
func TestOverflowIsRefused(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", nil)
		alice.raw.Stall() // she refuses when something waits, and not before: then it were in the report
		for range 20 {
			report, err := w.Broadcast(t.Context(), "unheard", make([]byte, 10<<10))
			require.NoError(t, err)
			require.Equal(t, 1, report.Reached)
		}
		alice.raw.Resume()
		synctest.Wait()
		require.ErrorIs(t, alice.session().Flush(t.Context()), channel.CodeNoHandler)
	})
}

// TestDrip: one that takes a little now and then holds up those who send to many for SlowTimeout, once.
func TestDrip(t *testing.T) {
	inHub(t, func(s *server.Server) {
		allowAll(s)
		s.Limits = server.Limits{SendQueue: 64 << 10, ResumeBuffer: 192 << 10}
	}, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		heard := bob.listen("flood")
		alice.slowly(t, 4800*time.Millisecond)
		began := time.Now()
		for range 60 {
			_, err := w.Broadcast(t.Context(), "flood", make([]byte, 60<<10))
			require.NoError(t, err)
		}
		require.LessOrEqual(t, time.Since(began), 6*time.Second)
		require.EqualValues(t, 1, w.Stats().TooSlow)
		require.Len(t, heard.take(), 60)
	})
}

// TestTryBroadcastOfLarge: what nobody can take at once is an error, and not left out for everybody.
func TestTryBroadcastOfLarge(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", nil)
		heard := alice.listen("flood")
		_, err := w.TryBroadcast(&channel.Message{Channel: "flood", Body: make([]byte, 65505)})
		require.ErrorIs(t, err, channel.CodeTooLarge)
		report, err := w.TryBroadcast(&channel.Message{Channel: "flood", Body: make([]byte, 65504)})
		require.NoError(t, err)
		require.Equal(t, 1, report.Reached)
		m := heard.take()
		require.Len(t, m, 1)
		require.Zero(t, m[0].Missed)
		_, err = w.Group("a/b").Send(t.Context(), "flood", nil)
		require.ErrorIs(t, err, channel.CodeBadName)
		require.NoError(t, w.Server.Close())
		_, err = w.Broadcast(t.Context(), "flood", nil)
		require.ErrorIs(t, err, server.ErrServerClosed)
	})
}
