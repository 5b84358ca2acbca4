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
	if err := m.manage(ctx, p.conns, connPlan{net: p.rest, fault: never}); err != nil {
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
		if b, err = s.TryReadRecord(); len(b) > 0 || err != nil {
			// as a link does
		} else if random.IntN(2) == 0 {
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

// manyConnections are more than what both send needs, 512 KiB at most, at firstRecord each.
const manyConnections = 200

// manage is what client and server do: another connection when one is lost, or while it works.
func (m *model) manage(ctx context.Context, plans []connPlan, rest connPlan) error {
	for i := 0; ; i++ {
		p := rest
		if i < len(plans) {
			p = plans[i]
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.lost:
		}
		if i == len(plans)+manyConnections {
			return fmt.Errorf("no end after %d connections", i)
		}
		if i >= len(plans) {
			<-time.After(time.Second) // so long nobody knows but one side, and what is under way arrives
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
