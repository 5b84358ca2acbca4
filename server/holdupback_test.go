package server_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
)

// gate lets a member's handler of "flood" pass, or not.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil while it is open
}

func (m *member) gated() *gate {
	g := new(gate)
	m.mux.Handle("flood", func(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
		g.mu.Lock()
		shut := g.shut
		g.mu.Unlock()
		if shut != nil {
			select {
			case <-shut:
			case <-ctx.Done():
			}
		}
		return nil
	})
	return g
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// TestHoldupLongAfterComingBack: what one has held up since it came back counts, and not the time
// since then in which nobody waited.
func TestHoldupLongAfterComingBack(t *testing.T) {
	for _, quiet := range []time.Duration{6 * time.Second, 45 * time.Second} {
		inHub(t, smallQueue, func(t *testing.T, w *bubble, _ *received) {
			alice := w.member("alice", nil)
			g := alice.gated()
			defer g.open()
			hold := func() time.Duration {
				g.close()
				time.AfterFunc(3*time.Second, g.open)
				began := time.Now()
				for range 40 {
					report, err := w.Broadcast(t.Context(), "flood", make([]byte, 60<<10))
					require.NoError(t, err)
					require.Equal(t, 1, report.Reached)
				}
				return time.Since(began)
			}
			require.Equal(t, 3*time.Second, hold())
			require.NoError(t, alice.session().Flush(t.Context()))
			require.NoError(t, alice.comeBack())
			<-time.After(quiet)
			require.Equal(t, 3*time.Second, hold())
			require.Zero(t, w.Stats().TooSlow)
		})
	}
}

// TestHoldupInCircles: one that comes back over another connection before each time is over, and
// takes all in between, has not the time anew each time.
func TestHoldupInCircles(t *testing.T) {
	inHub(t, smallQueue, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", nil)
		g := alice.gated()
		defer g.open()
		sess := alice.session()
		var held time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			for sess.Context().Err() == nil {
				began := time.Now()
				_, _ = w.Broadcast(context.Background(), "flood", make([]byte, 60<<10))
				held += time.Since(began)
				<-time.After(time.Millisecond)
			}
		}()
		for began := time.Now(); sess.Context().Err() == nil && time.Since(began) < 2*time.Minute; {
			g.close()
			<-time.After(4900 * time.Millisecond)
			if alice.comeBack() != nil {
				break
			}
			g.open()
			synctest.Wait()
			g.close()
			<-time.After(50 * time.Millisecond)
			g.open()
			<-time.After(1200 * time.Millisecond)
		}
		require.Error(t, sess.Context().Err())
		<-done
		require.LessOrEqual(t, held, 11*time.Second)
		require.EqualValues(t, 1, w.Stats().TooSlow)
	})
}

// TestHoldupOfOneBackAtTheLastMoment: whoever waits when the time is over and the client is back in
// the same moment does not wait for ever.
func TestHoldupOfOneBackAtTheLastMoment(t *testing.T) {
	for range 100 {
		inHub(t, smallQueue, func(t *testing.T, w *bubble, _ *received) {
			alice, carol := w.member("alice", inGroups("g")), w.member("carol", nil)
			g := alice.gated()
			defer g.open()
			g.close()
			fill := strings.Repeat("x", 60<<10)
			for range 2 {
				_, err := carol.sendGroup("g", "flood", fill)
				require.NoError(t, err)
			}
			alice.cut()
			synctest.Wait()
			time.AfterFunc(time.Second, func() { _ = alice.comeBack() })
			for range 6 {
				began := time.Now()
				_, err := carol.sendGroup("g", "flood", fill)
				require.NoError(t, err)
				require.LessOrEqual(t, time.Since(began), 6*time.Second)
			}
		})
	}
}

// TestHoldupOfOneWhoGoesAway: for one that loses its connection while it is waited for that ends
// soon.
func TestHoldupOfOneWhoGoesAway(t *testing.T) {
	inHub(t, smallQueue, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", nil)
		g := alice.gated()
		defer g.open()
		g.close()
		time.AfterFunc(500*time.Millisecond, alice.cut)
		began := time.Now()
		for range 10 {
			_, err := w.Broadcast(t.Context(), "flood", make([]byte, 60<<10))
			require.NoError(t, err)
		}
		require.Equal(t, 1500*time.Millisecond, time.Since(began))
	})
}

// TestSlowLineThatIsGone: one whose network is gone in the middle of a message that takes long is
// found away, and not too slow.
func TestSlowLineThatIsGone(t *testing.T) {
	for _, after := range []time.Duration{500 * time.Millisecond, 3 * time.Second, 6 * time.Second} {
		inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
			alice, _ := w.reader(memnet.Config{Chunk: 32 << 10, Drip: 20 * time.Millisecond}, true)
			for range 2 {
				report, err := w.Broadcast(t.Context(), "news", make([]byte, 12<<20))
				require.NoError(t, err)
				require.Equal(t, 1, report.Reached)
			}
			<-time.After(after)
			alice.raw.Stall()
			alice.raw.Vanish()
			<-time.After(40 * time.Second)
			_, away := alice.session().Away()
			require.True(t, away)
			require.Zero(t, w.Stats().TooSlow)
		})
	}
}
