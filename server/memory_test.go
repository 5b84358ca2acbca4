package server_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// inUse is what is on the heap and reachable.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // what pools held until then
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemoryOfWhoIsAway lets a client be away for the whole grace, while another and the server's
// application offer it as much as they can, which would be without end. What is taken from them
// stays within the limits, they wait meanwhile, and hear of the end.
func TestMemoryOfWhoIsAway(t *testing.T) {
	limits := server.Limits{MaxSessions: 2, MaxHandshakes: 1, MaxMessage: 64 << 10, MaxPipes: 8, MaxStreams: 16, PipeWindow: 64 << 10,
		ResumeBuffer: 192 << 10}
	inHub(t, func(s *server.Server) { s.Limits = limits }, func(t *testing.T, w *bubble, got *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		sess := alice.session()
		synctest.Wait()
		pipes := make([]*link.Stream, limits.MaxPipes)
		for i := range pipes {
			var err error
			pipes[i], err = bob.link.OpenPipe(wire.PipeOpen{ID: [16]byte{byte(i)}, Opener: "bob", Target: "alice"})
			require.NoError(t, err)
			<-alice.pipes
			synctest.Wait()
		}
		before := inUse()
		alice.cut()
		alice.leave() // its process has died

		var offering sync.WaitGroup
		var mu sync.Mutex
		var sent, piped int
		for i := range 200 {
			offering.Go(func() {
				for sess.Send(t.Context(), fmt.Sprint("c", i), make([]byte, 4<<10)) == nil {
					mu.Lock()
					sent += 4 << 10
					mu.Unlock()
				}
			})
		}
		for _, p := range pipes {
			offering.Go(func() {
				for {
					n, err := p.Write(make([]byte, 16<<10))
					mu.Lock()
					piped += n
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		<-time.After(119 * time.Second)
		synctest.Wait()
		_, away := sess.Away()
		require.True(t, away)
		mu.Lock()
		// The application's queue, what was handed to the layer that resumes, and one message for
		// each channel that had none.
		require.Greater(t, sent, 1<<20)
		require.LessOrEqual(t, sent, 1<<20+limits.ResumeBuffer+200*(4<<10+wire.MessageOverhead))
		// Each pipe's window, and what its opener may queue.
		require.Greater(t, piped, limits.MaxPipes*limits.PipeWindow/2)
		require.LessOrEqual(t, piped, limits.MaxPipes*(limits.PipeWindow+64<<10)+limits.ResumeBuffer+2<<20)
		mu.Unlock()
		require.LessOrEqual(t, inUse()-before, limits.Memory())

		<-time.After(2 * time.Second)
		offering.Wait()
		require.ErrorIs(t, sess.Send(t.Context(), "c", nil), channel.CodeTimeout)
		synctest.Wait()
		require.Less(t, inUse()-before, int64(1<<20), "nothing of it is kept")
	})
}

// TestMemoryOfWhatIsRemembered leaves as many sequences and reasons behind as the server remembers.
func TestMemoryOfWhatIsRemembered(t *testing.T) {
	const n = 16
	limits := server.Limits{MaxSessions: n, MaxTransient: n, MaxChannels: wire.MaxChannels}
	inHub(t, func(s *server.Server) { s.Limits = limits }, func(t *testing.T, w *bubble, got *received) {
		records := map[[wire.IDSize]byte]bool{}
		visit := func(number byte) {
			a, b := memnet.Pipe(memnet.Config{Buffer: 1 << 20})
			w.ln.conns <- b
			conn, welcome, err := testworld.Enter(t.Context(), a, w.files["alice"], func(h *wire.Hello) {
				h.Features = wire.FeatureResume
				h.Instance[0] = number
			})
			require.NoError(t, err)
			require.NotContains(t, records, welcome.Record)
			records[welcome.Record] = true
			for i := range wire.MaxChannels {
				name := fmt.Sprintf("%0*d", wire.MaxChannelName, i)
				_, err := conn.Write(append([]byte{0}, wire.AppendChannel(nil, uint32(i+1), 0, wire.KindApplication, name)...))
				require.NoError(t, err)
			}
			synctest.Wait()
			sess, _ := w.Session("alice")
			go func() { _ = sess.CloseWithReason(channel.CodeApplication, strings.Repeat("x", 255)) }()
			synctest.Wait()
			conn.CloseNow()
			<-time.After(6 * time.Second)
			synctest.Wait()
			require.Zero(t, w.Stats().Sessions+w.Stats().Ending)
		}
		visit(255)
		before := inUse()
		for number := range byte(n) {
			visit(number + 1)
		}
		each := (inUse() - before) / (n - 1) // the first was counted before, and had to go
		require.Less(t, each, int64(wire.MaxChannels*512+1<<10))
		require.Greater(t, each, int64(wire.MaxChannels*wire.MaxChannelName), "they are remembered")
	})
}
