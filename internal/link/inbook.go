package link

import (
	"slices"
	"sync"
	"sync/atomic"
)

// inBook is what has been taken of the messages that come on a channel.
type inBook struct {
	mark  atomic.Uint64 // the number after the last one taken
	holed atomic.Bool   // there are holes

	mu sync.Mutex
	// holes are below the mark and not taken: a link takes messages out of their order where a
	// handler was taken away and those before wait for it still.
	holes []hole
}

// hole is the numbers from up to and without to.
type hole struct{ from, to uint64 }

// claim takes a message, once for all links of the books, that came on a link whose CHANNEL said
// first. missed is how many of those before first are lost.
func (b *inBook) claim(number, first uint64) (missed uint64, fresh bool) {
	if !b.holed.Load() && b.mark.CompareAndSwap(number, number+1) {
		return 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		mark := b.mark.Load()
		if number < mark {
			if !b.fill(number) {
				return 0, false
			}
			return b.give(first), true
		}
		if !b.mark.CompareAndSwap(mark, number+1) {
			continue
		}
		missed = b.give(first)
		if first > mark {
			missed += first - mark
		}
		if from := max(first, mark); from < number {
			b.holes = append(b.holes, hole{from, number})
			b.holed.Store(true)
		}
		return missed, true
	}
}

// taken reports whether a message has been taken already.
func (b *inBook) taken(number uint64) bool {
	if number >= b.mark.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !slices.ContainsFunc(b.holes, func(h hole) bool { return h.from <= number && number < h.to })
}

// fill takes a number out of the holes, if it is in one. Call it with mu held.
func (b *inBook) fill(number uint64) bool {
	for i, h := range b.holes {
		if number < h.from || number >= h.to {
			continue
		}
		var rest []hole
		if h.from < number {
			rest = append(rest, hole{h.from, number})
		}
		if number+1 < h.to {
			rest = append(rest, hole{number + 1, h.to})
		}
		b.holes = slices.Replace(b.holes, i, i+1, rest...)
		b.holed.Store(len(b.holes) > 0)
		return true
	}
	return false
}

// give gives the holes below a number up, because the sender does not send them again, and returns
// how many messages that are. Call it with mu held.
func (b *inBook) give(first uint64) (lost uint64) {
	for i := 0; i < len(b.holes); {
		h := &b.holes[i]
		end := min(h.to, first)
		if h.from < end {
			lost += end - h.from
			h.from = end
		}
		if h.from == h.to {
			b.holes = slices.Delete(b.holes, i, i+1)
		} else {
			i++
		}
	}
	b.holed.Store(len(b.holes) > 0)
	return lost
}
