package link

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// modelEnd is one end of a model: a link, what it has sent and what its handlers have seen.
type modelEnd struct {
	t    testing.TB
	link *Link
	peer *modelEnd
	seed uint64
	wg   sync.WaitGroup
	stop context.Context

	mu   sync.Mutex
	sent map[string][]uint64 // numbers of the messages whose Send returned nil
	seen map[string][]uint64 // numbers of the messages whose handler began
	ends map[uint32]int      // bytes read of streams that ended with END, by stream id
}

const modelMax = 300<<10 + wire.MessageOverhead

func newModel(t testing.TB, seed uint64) (a, b *modelEnd) {
	random := rand.New(rand.NewPCG(seed, 0))
	net := memnet.Config{Seed: seed, Chunk: 1 + random.IntN(100000), Buffer: 1 + random.IntN(200000),
		Delay: time.Duration(random.IntN(3)) * time.Millisecond}
	ends := [2]*modelEnd{}
	var cfgs [2]*Config
	for i := range ends {
		e := &modelEnd{t: t, seed: seed*2 + uint64(i), sent: map[string][]uint64{}, seen: map[string][]uint64{}, ends: map[uint32]int{}}
		var ls Listeners
		ln, err := ls.Listen("s")
		require.NoError(t, err)
		t.Cleanup(func() { _ = ln.Close() })
		e.wg.Go(func() { e.accept(ln) })
		ends[i] = e
		cfgs[i] = &Config{Mux: e.mux(), Listeners: &ls, MaxMessage: modelMax, PeerMaxMessage: modelMax, StreamWindow: 1, MaxStreams: 16}
	}
	a, b = ends[0], ends[1]
	a.peer, b.peer = b, a
	if ca, cb := memnet.Pipe(net); seed%2 == 0 {
		cfgs[0].Initiator = true
		a.link, b.link = start(t, ca, "b", cfgs[0]), start(t, cb, "a", cfgs[1])
	} else {
		cfgs[0].Initiator = true
		a.link, b.link = start(t, eager(ca), "b", cfgs[0]), start(t, lending(cb), "a", cfgs[1])
	}
	a.link.Run()
	b.link.Run()
	return a, b
}

func (e *modelEnd) mux() *channel.Mux {
	var mux channel.Mux
	for i := range 4 {
		name := fmt.Sprintf("c%d", i)
		slow := time.Duration(i) * 100 * time.Microsecond
		mux.Handle(name, func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			e.mu.Lock()
			e.seen[name] = append(e.seen[name], binary.BigEndian.Uint64(m.Body))
			e.mu.Unlock()
			<-time.After(slow)
			return nil
		})
	}
	// A request asks back as often as its first byte says, then answers with as many bytes as it says.
	ask := func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
		if m.Body[0] > 0 {
			body := append([]byte(nil), m.Body...)
			body[0]--
			if _, err := e.link.Request(ctx, m.Channel, channel.Raw, body); err != nil {
				return err
			}
		}
		return m.Reply(ctx, make([]byte, binary.BigEndian.Uint32(m.Body[1:])))
	}
	mux.HandleConcurrent("ask", 8, ask)
	mux.HandleConcurrent("ask2", 50, ask)
	return &mux
}

// accept reads the streams that the other end opens.
func (e *modelEnd) accept(ln *Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		s := conn.(*Stream)
		e.wg.Go(func() {
			random := rand.New(rand.NewPCG(e.seed, uint64(s.id)))
			if random.IntN(5) == 0 {
				_, _ = io.CopyN(io.Discard, s, int64(random.IntN(100000)))
				_ = s.Close()
				return
			}
			n, err := io.Copy(io.Discard, s)
			if err == nil {
				e.mu.Lock()
				e.ends[s.id] = int(n)
				e.mu.Unlock()
			}
			_ = s.Close()
		})
	}
}

func (e *modelEnd) context(random *rand.Rand) (context.Context, context.CancelFunc) {
	if random.IntN(3) > 0 {
		return context.WithCancel(e.stop)
	}
	return context.WithTimeout(e.stop, time.Duration(random.IntN(5000))*time.Microsecond)
}

func size(random *rand.Rand) int {
	switch random.IntN(6) {
	case 0:
		return random.IntN(300 << 10)
	case 1:
		return random.IntN(70 << 10)
	default:
		return random.IntN(300)
	}
}

// send sends on one channel until it is told to stop.
func (e *modelEnd) send(i, count int) {
	name := fmt.Sprintf("c%d", i)
	random := rand.New(rand.NewPCG(e.seed, uint64(i)))
	for n := range count {
		ctx, cancel := e.context(random)
		body := make([]byte, 8+min(size(random), 300<<10-8))
		binary.BigEndian.PutUint64(body, uint64(n))
		err := e.link.Send(ctx, name, channel.Raw, body)
		cancel()
		if err == nil {
			e.mu.Lock()
			e.sent[name] = append(e.sent[name], uint64(n))
			e.mu.Unlock()
		}
	}
}

// flush checks Flush's promise again and again.
func (e *modelEnd) flush(count int) {
	random := rand.New(rand.NewPCG(e.seed, 100))
	for range count {
		before := map[string]int{}
		e.mu.Lock()
		for name, sent := range e.sent {
			before[name] = len(sent)
		}
		e.mu.Unlock()
		ctx, cancel := e.context(random)
		err := e.link.Flush(ctx)
		cancel()
		if err != nil {
			continue
		}
		e.peer.mu.Lock()
		for name, n := range before {
			// A message is taken right before its handler is called: one may not have got to its first line.
			assert.GreaterOrEqual(e.t, len(e.peer.seen[name])+1, n, "Flush has returned")
		}
		e.peer.mu.Unlock()
	}
}

func (e *modelEnd) request(i, count int) {
	random := rand.New(rand.NewPCG(e.seed, uint64(200+i)))
	for range count {
		ctx, cancel := e.context(random)
		want := size(random)
		body := make([]byte, 5+random.IntN(1000))
		body[0] = byte(random.IntN(4))
		binary.BigEndian.PutUint32(body[1:], uint32(want))
		m, err := e.link.Request(ctx, []string{"ask", "ask2"}[i%2], channel.Raw, body)
		cancel()
		if err == nil {
			assert.Len(e.t, m.Body, want)
		}
	}
}

func (e *modelEnd) stream(i, count int) {
	random := rand.New(rand.NewPCG(e.seed, uint64(300+i)))
	for range count {
		ctx, cancel := e.context(random)
		s, err := e.link.OpenStream(ctx, "s")
		cancel()
		if err != nil {
			continue
		}
		total := 0
		for range random.IntN(5) {
			n, err := s.Write(make([]byte, random.IntN(100000)))
			total += n
			if err != nil {
				break
			}
		}
		if random.IntN(3) == 0 {
			s.CloseWithReason(300, "")
			continue
		}
		_ = s.CloseWrite()
		_, err = io.Copy(io.Discard, s)
		if err == nil && e.link.Context().Err() == nil {
			e.peer.mu.Lock()
			if n, ended := e.peer.ends[s.id]; ended {
				assert.Equal(e.t, total, n, "stream %d", s.id)
			}
			e.peer.mu.Unlock()
		}
		_ = s.Close()
	}
}

// drive starts everything at an end. The returned function waits for it.
func (e *modelEnd) drive(ctx context.Context, count int) (wait func()) {
	e.stop = ctx
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { e.send(i, count) })
		wg.Go(func() { e.request(i, count) })
		wg.Go(func() { e.stream(i, count/3) })
	}
	wg.Go(func() { e.flush(count) })
	return wg.Wait
}

// requireQuiet asserts what holds when nothing is under way.
func (e *modelEnd) requireQuiet(t *testing.T) {
	require.Equal(t, e.sent, e.peer.seen, "once, in order, and nothing that was not sent")
	l, p := e.link, e.peer.link
	require.Empty(t, l.requests)
	require.Empty(t, l.asked)
	require.Empty(t, l.streams)
	require.Empty(t, l.budget.announced)
	require.Empty(t, l.answers)
	require.Zero(t, l.remote)
	require.Zero(t, l.sched.queued)
	require.Zero(t, l.sched.answers)
	require.True(t, l.sched.idle())
	require.Zero(t, l.answerPool.Used())
	var held uint64
	for _, in := range l.in {
		held += in.window.Allowed - in.window.Taken - wire.InitialCredit
	}
	require.Equal(t, held, l.budget.pool.Used())
	for i, out := range l.outByID {
		in := p.in[i]
		require.Equal(t, out.credit.Sent, out.pushed)
		require.Equal(t, out.credit.Sent, in.received)
		require.Equal(t, out.credit.Sent, in.total())
		require.Equal(t, out.credit.Sent, out.credit.Taken)
		require.LessOrEqual(t, out.credit.Allowed, in.allowed.Load())
		require.False(t, out.credit.Waiting())
	}
}

func TestModel(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newModel(t, seed)
				waitA, waitB := a.drive(t.Context(), 20), b.drive(t.Context(), 20)
				waitA()
				waitB()
				<-time.After(time.Second) // for handlers of requests that were given up, and streams
				require.NoError(t, a.link.Flush(t.Context()))
				require.NoError(t, b.link.Flush(t.Context()))
				<-time.After(time.Second) // for credit that is given back
				synctest.Wait()
				a.requireQuiet(t)
				b.requireQuiet(t)
				a.end(t)
				b.end(t)
			})
		})
	}
}

// end closes the listener, which a test leaves to its cleanup otherwise, and waits for what reads streams.
func (e *modelEnd) end(t *testing.T) {
	e.link.cfg.Listeners.CloseAll()
	e.link.Cut(channel.ErrClosed)
	e.wg.Wait()
}

// A link that ends in the middle of everything lets nothing hang, and what arrived is what was sent, up to some point.
func TestModelEnds(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newModel(t, seed)
				random := rand.New(rand.NewPCG(seed, 1))
				waitA, waitB := a.drive(t.Context(), 20), b.drive(t.Context(), 20)
				<-time.After(time.Duration(random.IntN(20000)) * time.Microsecond)
				switch random.IntN(4) {
				case 0:
					_ = a.link.Close(0, "")
				case 1:
					go func() { _ = a.link.Close(0, "") }()
					_ = b.link.Close(0, "")
				case 2:
					b.link.Cut(io.ErrUnexpectedEOF)
				case 3:
					b.link.Kick(channel.CodeKicked, "")
				}
				waitA()
				waitB()
				a.end(t)
				b.end(t)
				a.link.Wait()
				b.link.Wait()
				for _, e := range []*modelEnd{a, b} {
					for name, seen := range e.seen {
						require.Equal(t, e.peer.sent[name][:len(seen)], seen)
					}
				}
			})
		})
	}
}
