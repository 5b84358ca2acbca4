package server_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/server"
)

// smallQueue lets little wait for one.
func smallQueue(s *server.Server) {
	allowAll(s)
	s.Limits = server.Limits{SendQueue: 64 << 10, ResumeBuffer: 192 << 10}
}

// comeBackFar is comeBack over a line on which everything takes its time.
func (m *member) comeBackFar() error {
	over := m.conn.Handover()
	defer over.Abort()
	a, b := memnet.Pipe(memnet.Config{Delay: 100 * time.Millisecond})
	m.w.ln.conns <- b
	conn, welcome, err := ask(context.Background(), a, m.w.files[m.name], m.token(over.Position(), nil))
	if err != nil {
		return err
	}
	m.raw = a
	return over.Attach(conn, welcome.Position)
}

// TestGoneIsNotTooSlow: who was away, or whose network is gone and nobody has noticed, has time
// anew when it is back. Who is there and takes nothing has not.
func TestGoneIsNotTooSlow(t *testing.T) {
	const after = 59500 * time.Millisecond // half a second before SlowTimeout is over once more
	for name, c := range map[string]struct {
		gone func(alice *member) // what happens to it before it is sent something
		back func(alice *member) error
		slow bool
	}{
		"away": {
			gone: func(alice *member) { alice.cut() },
			back: func(alice *member) error { <-time.After(after); return alice.comeBackFar() },
		},
		"silently gone": {
			gone: func(alice *member) { alice.raw.Stall(); alice.raw.Vanish() },
			back: func(alice *member) error { <-time.After(8 * time.Second); return alice.comeBack() },
		},
		"silently gone for good": {
			gone: func(alice *member) { alice.raw.Stall(); alice.raw.Vanish() },
			back: func(alice *member) error { <-time.After(after); return alice.comeBackFar() },
		},
		"held up on the way": {
			gone: func(alice *member) { alice.raw.Stall() },
			back: func(alice *member) error { <-time.After(8 * time.Second); alice.raw.Resume(); return nil },
		},
		"goes over to another connection": {
			gone: func(alice *member) { alice.raw.Stall() },
			back: func(alice *member) error { <-time.After(4500 * time.Millisecond); return alice.comeBackFar() },
		},
		"there": {
			gone: func(*member) {},
			back: func(*member) error { <-time.After(4 * time.Second); return nil },
			slow: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
				alice := w.member("alice", nil)
				heard := new(inbox)
				if c.slow {
					alice.slowly(t, time.Hour)
				} else {
					heard = alice.listen("flood")
				}
				sess := alice.session()
				c.gone(alice)
				const messages = 20
				for range messages {
					report, err := w.Broadcast(t.Context(), "flood", make([]byte, 16<<10))
					require.NoError(t, err)
					require.Equal(t, 1, report.Reached)
				}
				require.NoError(t, c.back(alice))
				require.NoError(t, sess.Context().Err())
				<-time.After(3 * time.Second)
				if c.slow {
					require.Error(t, sess.Context().Err())
					require.EqualValues(t, 1, w.Stats().TooSlow)
					return
				}
				require.NoError(t, sess.Context().Err())
				require.Len(t, heard.take(), messages)
				require.Zero(t, w.Stats().TooSlow)
			})
		})
	}
}

// TestHoldupOfWhoComesBack: one that comes back over another connection while it holds others up
// has the time anew, once and not again and again.
func TestHoldupOfWhoComesBack(t *testing.T) {
	inHub(t, smallQueue, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", nil)
		alice.slowly(t, time.Hour)
		sess := alice.session()
		began := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for sess.Context().Err() == nil {
				_, _ = w.Broadcast(context.Background(), "flood", make([]byte, 60<<10))
			}
		}()
		for range 2 {
			<-time.After(3 * time.Second)
			require.NoError(t, sess.Context().Err())
			require.NoError(t, alice.comeBack())
		}
		<-time.After(1900 * time.Millisecond)
		require.NoError(t, sess.Context().Err())
		<-ended
		require.Equal(t, 8*time.Second, time.Since(began))
		require.EqualValues(t, 1, w.Stats().TooSlow)
	})
}

// TestHoldupOfOneWhoComesAnew: a new session of a key goes on holding others up where the one
// before it ended, and has the time again after a while.
func TestHoldupOfOneWhoComesAnew(t *testing.T) {
	for name, broadcast := range map[string]func(w *bubble, carol *member){
		"Broadcast": func(w *bubble, _ *member) { _, _ = w.Broadcast(context.Background(), "flood", make([]byte, 60<<10)) },
		"members":   func(_ *bubble, carol *member) { _, _ = carol.sendGroup("g", "flood", strings.Repeat("x", 60<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			inHub(t, smallQueue, func(t *testing.T, w *bubble, _ *received) {
				carol := w.member("carol", nil)
				held := func(replaced bool) time.Duration {
					alice := w.member("alice", inGroups("g"))
					alice.slowly(t, 10*time.Hour)
					began := time.Now()
					for range 20 {
						broadcast(w, carol)
						if replaced && time.Since(began) > 3*time.Second {
							break
						}
					}
					return time.Since(began)
				}
				require.Equal(t, 5*time.Second, held(false))
				for range 5 {
					require.LessOrEqual(t, held(false), 50*time.Millisecond)
				}
				<-time.After(time.Minute)
				require.InDelta(t, 3, held(true).Seconds(), 0.1)
				require.Less(t, held(false), 300*time.Millisecond)
			})
		})
	}
}

// TestHoldupOfOneBrieflyAway: one whose queue is full when it loses its connection, and that is back
// at once, is waited for like one that is there; one that stays away for not much longer than that.
func TestHoldupOfOneBrieflyAway(t *testing.T) {
	for name, c := range map[string]struct {
		back bool
		took time.Duration
	}{
		"back":  {true, 100 * time.Millisecond},
		"stays": {false, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inHub(t, smallQueue, func(t *testing.T, w *bubble, _ *received) {
				alice := w.member("alice", nil)
				heard := alice.listen("flood")
				sess := alice.session()
				alice.cut()
				synctest.Wait()
				began := time.Now()
				if c.back {
					time.AfterFunc(100*time.Millisecond, func() { assert.NoError(t, alice.comeBack()) })
				}
				reached := 0
				for range 40 {
					report, err := w.Broadcast(t.Context(), "flood", make([]byte, 60<<10))
					require.NoError(t, err)
					reached += report.Reached
				}
				require.Equal(t, c.took, time.Since(began))
				synctest.Wait()
				if !c.back {
					require.EqualValues(t, 1, w.Stats().TooSlow)
					return
				}
				require.Zero(t, w.Stats().TooSlow)
				require.NoError(t, sess.Context().Err())
				require.Equal(t, 40, reached)
				require.NoError(t, sess.Flush(t.Context()))
				require.Len(t, heard.take(), 40)
			})
		})
	}
}

// TestSlowLine: one that takes at once all that comes, over a line that needs longer than
// SlowTimeout for one message, is not too slow.
func TestSlowLine(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice, news := w.reader(memnet.Config{Chunk: 32 << 10, Drip: 20 * time.Millisecond}, true)
		for range 2 {
			report, err := w.Broadcast(t.Context(), "news", make([]byte, 12<<20))
			require.NoError(t, err)
			require.Equal(t, 1, report.Reached)
		}
		require.NoError(t, alice.session().Flush(t.Context()))
		require.Equal(t, 2, news())
		require.Zero(t, w.Stats().TooSlow)
	})
}

// TestHoldupIsTheSameForMany: how long one may hold others up does not depend on how many they are.
func TestHoldupIsTheSameForMany(t *testing.T) {
	for _, callers := range []int{1, 50} {
		t.Run(fmt.Sprint(callers), func(t *testing.T) {
			inHub(t, smallQueue, func(t *testing.T, w *bubble, _ *received) {
				alice := w.member("alice", nil)
				taken := alice.slowly(t, 10*time.Millisecond)
				const messages = 200
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						for range messages / callers {
							report, err := w.Broadcast(t.Context(), "flood", make([]byte, 16<<10))
							require.NoError(t, err)
							require.Equal(t, 1, report.Reached)
						}
					})
				}
				all.Wait()
				require.NoError(t, alice.session().Flush(t.Context()))
				synctest.Wait()
				require.Equal(t, messages, *taken)
				require.Zero(t, w.Stats().TooSlow)
			})
		})
	}
}

// TestManySendToManyWhoAreDeaf: who sends to a group waits for all its slow members together, in
// one goroutine, and hears of each that was left out.
func TestManySendToManyWhoAreDeaf(t *testing.T) {
	const n = 30
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("m", i)
	}
	inHubOf(t, names, smallQueue, func(t *testing.T, w *bubble, _ *received) {
		members := make([]*member, n)
		for i, name := range names {
			members[i] = w.member(name, inGroups("g"))
			members[i].mux.Handle("x", func(ctx context.Context, _ channel.Conn, _ *channel.Message) error { <-ctx.Done(); return nil })
		}
		fill := strings.Repeat("x", 60<<10)
		for range 2 {
			report, err := members[0].sendGroup("g", "x", fill)
			require.NoError(t, err)
			require.Equal(t, n-1, report.Reached)
		}
		synctest.Wait()
		before, began := runtime.NumGoroutine(), time.Now()
		var all sync.WaitGroup
		var unreached atomic.Int64
		for _, m := range members[1:] {
			all.Go(func() {
				report, err := m.sendGroup("g", "x", fill)
				require.NoError(t, err)
				unreached.Add(int64(len(report.Unreached)))
			})
		}
		synctest.Wait()
		require.Less(t, runtime.NumGoroutine()-before, 6*n)
		all.Wait()
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Greater(t, unreached.Load(), int64((n-1)*(n-3)), "each had room for one or two more at most")
		require.Zero(t, w.Stats().TooSlow)
	})
}

// TestRoomIsSeen: who waits for several goes on with each as soon as that one has room, whatever the others do.
func TestRoomIsSeen(t *testing.T) {
	inHub(t, smallQueue, func(t *testing.T, w *bubble, _ *received) {
		alice, bob, carol := w.member("alice", inGroups("g")), w.member("bob", inGroups("g")), w.member("carol", nil)
		alice.slowly(t, time.Hour)
		taken := bob.slowly(t, time.Second)
		fill := strings.Repeat("x", 60<<10)
		for range 3 {
			_, err := carol.sendGroup("g", "flood", fill)
			require.NoError(t, err)
		}
		began := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			report, err := carol.sendGroup("g", "flood", fill)
			require.NoError(t, err)
			require.Equal(t, 1, report.Reached)
			require.Len(t, report.Unreached, 1)
			require.Equal(t, "alice", report.Unreached[0].Name)
		}()
		<-time.After(4 * time.Second)
		synctest.Wait()
		require.Equal(t, 4, *taken, "while alice is still waited for")
		<-done
		require.Equal(t, 5*time.Second, time.Since(began))
		require.EqualValues(t, 1, alice.session().Stats().Dropped)
		require.Zero(t, bob.session().Stats().Dropped)
	})
}
