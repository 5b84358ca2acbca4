package link

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/pysock/pysock/internal/wire"
)

// gaps are the messages that the sender of a channel has left out of its own choice, each number of
// them before a message that has not been claimed. As long as there are none, a message costs one
// atomic load.
type gaps struct {
	some atomic.Bool

	mu sync.Mutex
	q  []gap // at most one for each message that waits, and one
}

// gap is how many were left out, before the message with a number or a later one.
type gap struct{ before, count uint64 }

// add counts messages that were left out before the one with the number. With merge, none has come
// since the last add that could be claimed.
func (g *gaps) add(before, count uint64, merge bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.q); merge && n > 0 {
		g.q[n-1].count = saturated(g.q[n-1].count, count)
	} else {
		g.q = append(g.q, gap{before, count})
	}
	g.some.Store(true)
}

// take adds what was left out before the message with a number to what it has missed already.
func (g *gaps) take(number, missed uint64) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for n < len(g.q) && g.q[n].before <= number {
		missed = saturated(missed, g.q[n].count)
		n++
	}
	if g.q = g.q[n:]; len(g.q) == 0 {
		g.q = nil
		g.some.Store(false)
	}
	return missed
}

// saturated is a + b, or the most there is: the other side chooses the numbers.
func saturated(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// onGap notes how many messages the other side has left out. It has no credit and needs none: it
// costs memory only once for each message.
func (l *Link) onGap(h wire.Header, p []byte) error {
	count, err := wire.ParseGap(p)
	if err != nil {
		return err
	}
	ch, err := l.inByFrame(h)
	if err != nil {
		return err
	}
	l.bodies.Lock()
	within := ch.part.open
	l.bodies.Unlock()
	if within {
		return violated("GAP of channel %d within a message", h.ID)
	}
	if ch.refused.Load() {
		return nil
	}
	ch.gaps.add(ch.next, count, ch.gapped)
	ch.gapped = true
	return nil
}
