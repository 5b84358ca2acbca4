package resume

import (
	"time"

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
	rest   memnet.Config // what all connections are like after these
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
	p.rest = drawRest(t, p.early)
	return p
}

// leastCarried is what a connection carries at least in each direction, so that the streams come
// forward by it: the handshake, and what is sent before anything is known to arrive.
const leastCarried = 8 << 10

// drawRest is one of the kinds of connections by which everything arrives in the end: reliable
// ones, slow ones, and ones that do not live long. A cut takes what is under way with it; after the
// other side's end, which may come early, nobody knows how much that is, so that there is none.
func drawRest(t *rapid.T, early bool) (cfg memnet.Config) {
	if rapid.Bool().Draw(t, "far") {
		cfg.Delay, cfg.Buffer = 300*time.Millisecond, 1<<20
	}
	carried := rapid.Int64Range(leastCarried, 100<<10).Draw(t, "carried")
	switch kind := rapid.IntRange(0, 4).Draw(t, "rest"); {
	case kind == 1:
		cfg.Chunk, cfg.Drip = 500, 500*time.Millisecond
	case kind == 2 && !early:
		cfg.CutAfter = carried
	case kind == 2 || kind == 3:
		cfg.ResetAfter = carried
	case kind == 4:
		cfg.VanishAfter = carried
	}
	return cfg
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
