package durable

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/memnet"
)

// plan is one schedule: who sends what, and when which connection is lost in what way.
type plan struct {
	seed    uint64
	resend  bool
	pull    bool // the other end receives; else it has handlers
	senders int
	each    int
	losses  []loss
	chunk   int
	buffer  int
}

type loss struct {
	after time.Duration
	away  time.Duration // without a link
	how   int           // 0: cut here, 1: a CLOSE that is not final, 2: replaced by a newer link
}

func drawPlan(r *rapid.T) plan {
	p := plan{
		seed:    rapid.Uint64().Draw(r, "seed"),
		resend:  rapid.Bool().Draw(r, "resend"),
		pull:    rapid.Bool().Draw(r, "pull"),
		senders: rapid.IntRange(1, 4).Draw(r, "senders"),
		each:    rapid.IntRange(1, 40).Draw(r, "each"),
		chunk:   rapid.IntRange(500, 9000).Draw(r, "chunk"),
		buffer:  rapid.IntRange(1000, 30000).Draw(r, "buffer"),
	}
	for range rapid.IntRange(0, 6).Draw(r, "losses") {
		p.losses = append(p.losses, loss{
			after: time.Duration(rapid.IntRange(0, 20000).Draw(r, "after")) * time.Microsecond,
			away:  time.Duration(rapid.IntRange(0, 5000).Draw(r, "away")) * time.Microsecond,
			how:   rapid.IntRange(0, 2).Draw(r, "how"),
		})
	}
	return p
}

// arrival is a message as the other application has got it: of which sender, its number there, and
// what was missed before.
type arrival struct{ n, missed uint64 }

// model is a run of a plan. Each sender has a channel of its own, so that its messages' numbers are the link's.
type model struct {
	plan
	w *world

	mu       sync.Mutex
	arrived  map[string][]arrival
	accepted map[string]uint64 // how many Send has accepted
	gaps     []*channel.GapError
	stop     context.Context
}

func (m *model) take(msg *channel.Message) {
	m.mu.Lock()
	m.arrived[msg.Channel] = append(m.arrived[msg.Channel], arrival{binary.BigEndian.Uint64(msg.Body), msg.Missed})
	m.mu.Unlock()
}

// receive takes what comes on the other end's links, one after the other.
func (m *model) receive(links <-chan *link.Link) {
	for l := range links {
		for {
			msg, err := l.Receive(m.stop)
			if err != nil {
				break
			}
			m.take(msg)
		}
	}
}

// send is one sender's life. A gap is noted, and the message that was refused with it is sent as the next.
func (m *model) send(i int) {
	name := fmt.Sprint("c", i)
	random := rand.New(rand.NewPCG(m.seed, uint64(i)))
	for n := uint64(0); n < uint64(m.each); {
		size := 8 + random.IntN(100)
		if random.IntN(20) == 0 {
			size = random.IntN(90000) + 8
		}
		body := make([]byte, size)
		binary.BigEndian.PutUint64(body, n)
		var err error
		acked := random.IntN(10) == 0
		if acked {
			err = m.w.c.SendAcked(m.stop, name, channel.Raw, body)
		} else {
			err = m.w.c.Send(m.stop, name, channel.Raw, body)
		}
		switch {
		case err == nil:
			n++
		case !isGap(err) || m.resend:
			m.w.t.Errorf("send: %v", err)
			return
		default:
			m.note(err)
			if acked {
				// It may have been begun: then its number is used up, and the gap counts it.
				n = m.sent(err, name, n)
			}
		}
		if random.IntN(20) == 0 {
			if err := m.w.c.Flush(m.stop); err != nil {
				if m.resend || !isGap(err) {
					m.w.t.Errorf("flush: %v", err)
				}
				m.note(err)
			}
		}
		if random.IntN(4) == 0 {
			<-time.After(time.Duration(random.IntN(1000)) * time.Microsecond)
		}
	}
	m.mu.Lock()
	m.accepted[name] = uint64(m.each)
	m.mu.Unlock()
}

// sent is how many messages of the channel are counted as sent, n if the gap does not name it.
func (m *model) sent(err error, name string, n uint64) uint64 {
	for _, c := range gapOf(m.w.t, err).Channels {
		if c.Channel == name {
			return c.Sent
		}
	}
	return n
}

func (m *model) note(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gaps = append(m.gaps, gapOf(m.w.t, err))
}

func (m *model) run(t *testing.T) {
	m.w = newWorld(t, Config{Resend: m.resend, Wait: -1, Final: func(error) bool { return false }})
	m.w.net = memnet.Config{Seed: m.seed, Chunk: m.chunk, Buffer: m.buffer, Delay: 100 * time.Microsecond}
	links := make(chan *link.Link, 100)
	ctx, cancel := context.WithCancel(t.Context())
	m.stop = ctx
	if m.pull {
		go m.receive(links)
	} else {
		var mux channel.Mux
		mux.Fallback(func(_ context.Context, _ channel.Conn, msg *channel.Message) error { m.take(msg); return nil })
		m.w.cfg.Mux = &mux
	}
	attach := func() {
		m.w.attach()
		if m.pull {
			links <- m.w.there
		} else {
			m.w.there.Run()
		}
	}
	var senders sync.WaitGroup
	for i := range m.senders {
		senders.Go(func() { m.send(i) })
	}
	attach()
	for _, x := range m.losses {
		<-time.After(x.after)
		switch x.how {
		case 0:
			m.w.cut()
		case 1:
			_ = m.w.there.Close(channel.CodeShutdown, "")
		}
		if x.how < 2 {
			<-m.w.lost
			<-time.After(x.away)
		}
		attach()
	}
	senders.Wait()
	for err := m.w.c.Flush(ctx); err != nil; err = m.w.c.Flush(ctx) {
		m.note(err)
	}
	synctest.Wait()
	cancel()
	close(links)
	m.check(t)
}

func (m *model) check(t *testing.T) {
	for i := range m.senders {
		name := fmt.Sprint("c", i)
		arrived := m.arrived[name]
		var next, missed uint64
		for k, a := range arrived {
			require.GreaterOrEqual(t, a.n, next, "%s: in order and once: %v", name, arrived)
			if k > 0 {
				require.Equal(t, a.n-next, a.missed, "%s: what is lost is told: %v", name, arrived)
			} else {
				require.LessOrEqual(t, a.missed, a.n, "%s: what is lost before the first CHANNEL comes is not known", name)
			}
			missed += a.n - next
			next = a.n + 1
		}
		if m.resend {
			require.Len(t, arrived, m.each, "%s: all of them", name)
			require.Zero(t, missed)
			continue
		}
		lost := uint64(m.each) - uint64(len(arrived))
		if lost == 0 {
			continue
		}
		require.NotEmpty(t, m.gaps, "the sender has been told")
		var told uint64 // by the last gap that names the channel
		for _, g := range m.gaps {
			for _, c := range g.Channels {
				if c.Channel == name {
					told = max(told, c.Sent-c.Taken)
				}
			}
		}
		require.GreaterOrEqual(t, told, lost, "%s: each that is lost was told as not known to be taken", name)
	}
}

// At least once with a receiver that lives is exactly once and in order; at most once is a part of
// that, and both sides know of what is missing.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := drawPlan(r)
		synctest.Test(t, func(t *testing.T) {
			m := &model{plan: p, arrived: map[string][]arrival{}, accepted: map[string]uint64{}}
			m.run(t)
		})
	})
}
