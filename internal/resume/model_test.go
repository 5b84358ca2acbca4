package resume

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pysock/pysock/internal/memnet"
)

// plan is a schedule of faults, made before the bubble in which it happens.
type plan struct {
	seed   uint64
	buffer int
	total  [2]int // bytes that each side sends
	early  bool   // the sides end their streams as soon as all is written
	conns  []connPlan
}

// connPlan is one connection: what it is like, how the handshake that begins it ends, and what
// happens to it.
type connPlan struct {
	net     memnet.Config
	outcome outcome
	latency time.Duration // of the handshake's messages
	fault   fault
	after   time.Duration // of fault, or of the next connection if there is none
}

type outcome int

const (
	connected   outcome = iota
	tokenLost           // the server does not hear of it
	welcomeLost         // the server is there already, the client never comes
	superseded          // the client has begun two
	outcomes
)

type fault int

const (
	renewal fault = iota // none: the next connection begins while this one works
	cut
	cutToA
	cutToB
	vanishFromA
	vanishFromB
	stallA
	stallB
	never // only the faults of memnet.Config, if any
	faults
)

func (f fault) happen(a, b *memnet.Conn) {
	switch f {
	case cut:
		a.Cut()
	case cutToA:
		a.CutIn()
	case cutToB:
		b.CutIn()
	case vanishFromA:
		a.Vanish()
	case vanishFromB:
		b.Vanish()
	case stallA:
		a.Stall()
	case stallB:
		b.Stall()
	}
}

func drawPlan(t *rapid.T) plan {
	p := plan{
		seed:   rapid.Uint64Min(1).Draw(t, "seed"),
		buffer: rapid.SampledFrom([]int{MinBuffer, 300 << 10, 1 << 20}).Draw(t, "buffer"),
		early:  rapid.Bool().Draw(t, "early"),
	}
	most := 200 << 10
	if p.early {
		most = p.buffer / 4 // what is sent after the other side's end is not acknowledged
	}
	p.total = [2]int{rapid.IntRange(0, most).Draw(t, "a sends"), rapid.IntRange(0, most).Draw(t, "b sends")}
	p.conns = rapid.SliceOfN(rapid.Custom(drawConn), 0, 8).Draw(t, "connections")
	return p
}

func drawConn(t *rapid.T) connPlan {
	ms := func(label string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, label)) * time.Millisecond
	}
	p := connPlan{
		net: memnet.Config{
			Seed:   1,
			Buffer: rapid.SampledFrom([]int{1, 1000, 0, 1 << 20}).Draw(t, "net buffer") * 100,
			Chunk:  rapid.SampledFrom([]int{0, 100, 10000}).Draw(t, "chunk"),
			Delay:  ms("delay", 50),
			Jitter: ms("jitter", 50),
		},
		outcome: outcome(rapid.IntRange(0, int(outcomes)-1).Draw(t, "outcome")),
		latency: ms("latency", 20),
		fault:   fault(rapid.IntRange(0, int(faults)-1).Draw(t, "fault")),
		after:   ms("after", 200),
	}
	if at := rapid.Int64Range(1, 100<<10).Draw(t, "at"); p.fault == never {
		switch rapid.IntRange(0, 3).Draw(t, "fault in a record") {
		case 0:
			p.net.CutAfter = at
		case 1:
			p.net.ResetAfter = at
		case 2:
			p.net.VanishAfter = at
		}
	}
	return p
}

// side is one end of a model.
type side struct {
	*Conn
	random *rand.Rand // the writer's
	early  bool
	buffer int
	table  []byte        // what it sends, at an offset of one's own
	got    chan struct{} // closed when all that the other side sends has come
}

// model is a session and its owners.
type model struct {
	a, b *side
	lost chan struct{}
	over over
}

// over makes the connection that a session goes over, upon one of the network.
type over func(x, y *memnet.Conn) (a, b Lower, err error)

func overPlain(x, y *memnet.Conn) (a, b Lower, err error) { return newPlain(x), newPlain(y), nil }

var modelTable = func() []byte {
	b := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(b)
	return b
}()

// run returns what went wrong.
func (p plan) run(over over) error {
	m := &model{lost: make(chan struct{}, 1), over: over}
	cfg := &Config{Buffer: p.buffer, Lost: func(error) {
		select {
		case m.lost <- struct{}{}:
		default:
		}
	}}
	x, y, err := over(memnet.Pipe(memnet.Config{Seed: p.seed, Chunk: 5000, Delay: time.Millisecond}))
	if err != nil {
		return err
	}
	newSide := func(i int, l Lower) *side {
		offset := i * 1000
		return &side{Conn: New(l, cfg), random: rand.New(rand.NewPCG(p.seed, uint64(i))), early: p.early, buffer: p.buffer,
			table: modelTable[offset : offset+p.total[i]], got: make(chan struct{})}
	}
	m.a, m.b = newSide(0, x), newSide(1, y)
	defer m.a.Fail(nil)
	defer m.b.Fail(nil)

	ctx, done := context.WithCancelCause(context.Background())
	var ends sync.WaitGroup
	do := func(f func() error) {
		ends.Go(func() {
			if err := f(); err != nil {
				done(err)
			}
		})
	}
	m.signal() // the first connection works, and is replaced at once
	do(m.a.write)
	do(m.b.write)
	do(func() error { return m.a.read(m.b) })
	do(func() error { return m.b.read(m.a) })
	go func() {
		ends.Wait()
		done(nil)
	}()
	if err := m.manage(ctx, p.conns); err != nil {
		done(err)
	}
	if err := context.Cause(ctx); err != context.Canceled {
		m.a.Fail(nil)
		m.b.Fail(nil)
		ends.Wait()
		return err
	}
	return nil
}

// write sends the whole stream in pieces of many sizes, in all ways that there are.
func (s *side) write() error {
	for rest := s.table; len(rest) > 0; {
		n := min(len(rest), 1+s.random.IntN(1<<s.random.IntN(17)), 1+len(s.table)/4)
		var err error
		switch s.random.IntN(3) {
		case 0:
			_ = s.SetWriteDeadline(time.Now().Add(time.Duration(s.random.IntN(1000)) * time.Millisecond))
			n, err = s.Write(rest[:n])
		default:
			_ = s.SetWriteDeadline(time.Time{})
			n = min(n, MaxContent)
			err = writeRecord(s.Conn, rest[:n])
		}
		if err != nil && !isDeadline(err) {
			return fmt.Errorf("write: %w", err)
		}
		rest = rest[n:]
		if memory := keeps(s.Conn); memory > s.buffer {
			return fmt.Errorf("%d bytes are kept, of %d", memory, s.buffer)
		}
		if s.random.IntN(2) == 0 {
			<-time.After(time.Duration(s.random.IntN(200)) * time.Millisecond)
		}
	}
	if !s.early {
		<-s.got
	}
	return s.CloseWrite()
}

// read reads what the other side sends, to its end.
func (s *side) read(from *side) error {
	random := rand.New(rand.NewPCG(uint64(len(s.table)), 3))
	want := from.table
	got := false
	defer func() {
		if !got {
			close(s.got)
		}
	}()
	for {
		if len(want) == 0 && !got {
			got = true
			close(s.got)
		}
		var b []byte
		var err error
		_ = s.SetReadDeadline(time.Now().Add(time.Duration(random.IntN(20000)) * time.Millisecond))
		if random.IntN(2) == 0 {
			b, err = s.ReadRecord()
		} else {
			b = make([]byte, 1+random.IntN(5000))
			var n int
			n, err = s.Read(b)
			b = b[:n]
		}
		switch {
		case isDeadline(err):
		case err == io.EOF && len(want) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("read, %d bytes before the end: %w", len(want), err)
		case len(b) > len(want) || !bytes.Equal(b, want[:len(b)]):
			return fmt.Errorf("%d bytes before the end: wrong bytes", len(want))
		}
		want = want[len(b):]
	}
}

// manage is what client and server do: another connection when one is lost, or while it works.
func (m *model) manage(ctx context.Context, plans []connPlan) error {
	for i := 0; ; i++ {
		p := connPlan{fault: never}
		if i < len(plans) {
			p = plans[i]
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.lost:
		}
		if err := m.connect(p); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
}

// connect goes through a plan up to where the next connection is due.
func (m *model) connect(p connPlan) error {
	xm, ym := memnet.Pipe(p.net)
	x, y, err := m.over(xm, ym)
	if err != nil {
		m.signal() // the fault was in the handshake
		return nil
	}
	ha := m.a.Handover()
	if p.outcome == superseded {
		older := ha
		ha = m.a.Handover()
		if err := older.Attach(x, 0); err != ErrSuperseded {
			return fmt.Errorf("an older handover: %v", err)
		}
	}
	<-time.After(p.latency)
	if p.outcome == tokenLost {
		ha.Abort()
		m.signal()
		return nil
	}
	if err := m.b.Holds(ha.Position()); err != nil {
		return fmt.Errorf("the token's position %d: %w", ha.Position(), err)
	}
	hb := m.b.Handover()
	<-time.After(p.latency)
	if err := hb.Attach(y, ha.Position()); err != nil {
		return fmt.Errorf("attach the server: %w", err)
	}
	<-time.After(p.latency)
	if p.outcome == welcomeLost {
		ha.Abort()
		_ = x.CloseNow()
		m.signal()
		return nil
	}
	if err := ha.Attach(x, hb.Position()); err != nil {
		return fmt.Errorf("attach the client: %w", err)
	}
	if p.fault == never {
		return nil
	}
	<-time.After(p.after)
	p.fault.happen(xm, ym)
	if p.fault == renewal {
		m.signal()
	}
	return nil
}

func (m *model) signal() {
	select {
	case m.lost <- struct{}{}:
	default:
	}
}

// TestModel: whatever happens to connections, both streams arrive whole, once and in order.
func TestModel(t *testing.T) { testModel(t, "1000", overPlain) }

// TestModelSecure does so over what a Conn really runs over.
func TestModelSecure(t *testing.T) {
	testModel(t, "50", func(x, y *memnet.Conn) (a, b Lower, err error) { return secured(t, x, y) })
}

func testModel(t *testing.T, runs string, over over) {
	// A failure cannot be repeated from a file: goroutines may run in another order.
	for name, value := range map[string]string{"rapid.checks": runs, "rapid.nofailfile": "true"} {
		before := flag.Lookup(name).Value.String()
		require.NoError(t, flag.Set(name, value))
		defer func() { _ = flag.Set(name, before) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		var err error
		synctest.Test(t, func(*testing.T) { err = p.run(over) })
		if err != nil {
			t.Logf("%+v: %v", p, err)
			rt.Fatal(err)
		}
	})
}
