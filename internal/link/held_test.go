package link

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
)

// What large messages took from the pool they hold until their handlers return, so that handlers
// together hold no more than it.
func TestHandlersHoldLargeBodies(t *testing.T) {
	const mib = 1 << 20
	for name, concurrent := range map[string]int{"of many channels": 1, "of a concurrent channel": 8} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mux channel.Mux
				next, running := make(chan struct{}), 0
				var mu sync.Mutex
				for i := range 8 {
					mux.HandleConcurrent(fmt.Sprint("c", i), concurrent,
						func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
							mu.Lock()
							running++
							mu.Unlock()
							<-next
							return nil
						})
				}
				l, r := against(t, &Config{Mux: &mux, MaxMessage: mib})
				l.Run()
				fit := (mib + flow.GrowShare) / (mib - flow.Guaranteed)
				id := func(i int) uint32 { return uint32(min(i, (i-1)%(9-concurrent)+1)) }
				for i := 1; i <= fit+1; i++ {
					if int(id(i)) == i {
						r.write(chFrame(id(i), fmt.Sprint("c", i-1)))
					}
					r.write(wire.AppendAnnounce(nil, id(i), mib))
					lines := r.lines()
					if i <= fit {
						require.NotEmpty(t, lines)
						r.write(msgFrames(id(i), mib-wire.MessageOverhead))
						r.lines()
						require.Equal(t, i, running)
					} else {
						require.Empty(t, lines, "there is no room")
					}
				}
				require.LessOrEqual(t, l.budget.pool.Used(), uint64(mib+flow.GrowShare))
				next <- struct{}{}
				require.Len(t, r.lines(), 1, "there is")
				r.write(msgFrames(id(fit+1), mib-wire.MessageOverhead))
				r.lines()
				require.Equal(t, fit+1, running)
				close(next)
				r.lines()
				require.LessOrEqual(t, l.budget.pool.Used(), uint64(flow.GrowShare), "only windows that have grown hold something")
				for _, ch := range l.in {
					ch.window.Release(l.budget.pool)
				}
				require.Zero(t, l.budget.pool.Used())
			})
		})
	}
}

// What is granted to a large message is no credit for small ones, each of which takes more memory than it costs.
func TestGrantIsForALargeMessage(t *testing.T) {
	start := func(t *testing.T) (*Link, *raw) {
		l, r := against(t, &Config{Mux: blocking(), MaxMessage: 1 << 20})
		l.Run()
		r.write(chFrame(1, "h"), wire.AppendAnnounce(nil, 1, 1<<20))
		require.Equal(t, []string{"CREDIT 1 0 1048576"}, r.lines())
		r.write(msgFrames(1, 65536-32)) // what is allowed in any case may have crossed
		require.Empty(t, r.lines())
		return l, r
	}
	t.Run("small", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := start(t)
			r.write(msgFrames(1, 0))
			requireBreach(t, l, r)
			require.ErrorContains(t, context.Cause(l.Context()), "granted to a large one")
		})
	})
	t.Run("large", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, r := start(t)
			r.write(msgFrames(1, 65536), wire.AppendSkip(nil, 1, 700000), msgFrames(1, 65536))
			require.Empty(t, r.lines())
			r.write(wire.AppendSkip(nil, 1, 1<<20-3*65536-64-700000))
			require.Empty(t, r.lines(), "the handler is at the first")
		})
	})
}

// An answer is copied when there is room for it and not before: what waits is in the hands of its handler alone.
func TestAnswersWaitForRoomUncut(t *testing.T) {
	old := largeChunks.New
	var made atomic.Int32
	largeChunks = sync.Pool{New: func() any { made.Add(1); return old() }}
	t.Cleanup(func() { largeChunks = sync.Pool{New: old} })
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		const answers, size = 16, 2 << 20
		mux.HandleConcurrent("h", answers, func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			return m.Reply(ctx, make([]byte, size))
		})
		l, r := against(t, &Config{Mux: &mux})
		l.Run()
		r.silent = true
		r.write(chFrame(1, "h"))
		for i := range uint32(answers) {
			r.write(wire.AppendMessage(nil, 1, wire.FlagRequest, wire.MessageStart{Request: i + 1, Allowance: 1 << 30}, nil))
		}
		r.read()
		require.Less(t, int(made.Load())*largeChunk, 3*size)
		require.Less(t, l.Queued(), 2*size)
		r.silent = false
		r.write(wire.AppendProgress(nil, uint64(r.total)))
		ends := 0
		for _, f := range r.read() {
			if f.Type == wire.TypeAnswer && f.Flags.Has(wire.FlagLast) {
				ends++
			}
		}
		require.Equal(t, answers, ends)
		require.Zero(t, l.Queued())
	})
}

// arrivedBytes is how much a link holds of what has come and nobody has begun to handle.
func arrivedBytes(l *Link) (n int) {
	l.bodies.Lock()
	defer l.bodies.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	pack := func(p *pack) {
		if p != nil {
			n += len(p.b)
		}
	}
	count := func(q []queued) {
		for _, m := range q {
			if m.msg != nil {
				n += len(m.msg.Body)
			}
			pack(m.pack)
		}
	}
	for _, ch := range l.in {
		n += len(ch.part.b)
		pack(ch.pack)
		count(ch.queue)
		ch.batch.mu.Lock()
		count(ch.batch.q)
		pack(ch.batch.pack.Load())
		ch.batch.mu.Unlock()
	}
	for _, r := range l.requests {
		n += len(r.part.b)
	}
	for _, m := range l.pulled.q {
		count([]queued{m.queued()})
	}
	return n
}

// A link that this side ends holds nothing for its last seconds of what nobody will get.
func TestEndedLinkHoldsNothing(t *testing.T) {
	for name, end := range map[string]func(l *Link, r *raw){
		"kick":   func(l *Link, _ *raw) { l.Kick(channel.CodeKicked, "") },
		"breach": func(_ *Link, r *raw) { r.write(data(99, 1)) },
		"close":  func(l *Link, _ *raw) { go func() { _ = l.Close(0, "") }() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := blocking()
				mux.Handle("queued", block)
				l, r := against(t, &Config{Mux: mux})
				go func() { _, _ = l.Request(t.Context(), "ask", channel.Raw, nil) }()
				r.read()
				r.write(chFrame(1, "h"), msgFrames(1, 1000), msgFrames(1, 1000)) // held back, so that they make one batch
				l.Run()
				synctest.Wait()
				r.write(msgFrames(1, 1000), large(1, 50000, 2))
				r.write(wire.AppendAnswer(nil, 1, 0, make([]byte, 50000))[:wire.MaxFrame])
				r.write(chFrame(2, "pulled"))
				l.mu.Lock()
				l.pulling = true
				l.mu.Unlock()
				r.write(msgFrames(2, 1000))
				synctest.Wait()
				require.Greater(t, arrivedBytes(l), 3*1000+3*(wire.MaxPayload-4)-1)
				end(l, r)
				synctest.Wait()
				require.NotEqual(t, stateDead, l.state)
				require.Zero(t, arrivedBytes(l))
			})
		})
	}
}

// A message that is whole only when the link has been ended goes nowhere.
func TestNothingArrivesAfterAKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{Mux: blocking()})
		l.Run()
		whole := msgFrames(1, 50000)
		r.write(chFrame(1, "h"), whole[:wire.MaxFrame])
		synctest.Wait()
		l.Kick(channel.CodeKicked, "")
		r.write(whole[wire.MaxFrame:], msgFrames(1, 10))
		synctest.Wait()
		require.Zero(t, arrivedBytes(l))
		require.Zero(t, l.running)
	})
}
