package link

import (
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
)

// costs are what is under way on a channel, in order: messages, and what counts in credit as they
// do and has no number. Equal ones in a row are one entry. Its zero value is empty.
type costs struct {
	q    []run // all but the last; q[head] is the first
	head int
	last run    // n is 0 if there is none
	over uint64 // taken of the first, which is not whole
}

// run is a number of equal costs. Both fit into 32 bits: no cost is higher than the largest message, and
// a sender is never 2³¹ messages ahead, whatever it is allowed (flow.Ahead).
type run struct {
	cost uint32
	n    uint32 // with the bit numbered set for messages that are no requests
}

const numbered = 1 << 31

func (r run) count() uint64 { return uint64(r.n &^ numbered) }

const (
	// maxRuns is from how many entries on no more messages are sent that need no announcement,
	// until some of these have been taken: how much memory the books of a channel take must not be
	// the choice of who makes a sender send, and then says nothing of what it takes. As many of the
	// smallest fit into what every channel is guaranteed.
	maxRuns = flow.Guaranteed / wire.MessageOverhead

	// askRuns is from how many on the other side is asked what it has taken, so that who sends
	// messages of many sizes need not wait.
	askRuns = maxRuns / 2

	// runsRoom is for how many there is room in the end. It is more than may be under way, so that
	// they are not moved to the front for each.
	runsRoom = maxRuns + maxRuns/8

	// longCosts is from how many entries on the room for them is given back when they are gone.
	longCosts = 1024
)

// CostsMemory is what a channel's costs take at most in memory, in bytes, but for what several that
// waited at once go beyond it, each by one entry.
const CostsMemory = 8 * runsRoom

// runs is how many entries there are, but for the last.
func (c *costs) runs() int { return len(c.q) - c.head }

// add counts a cost behind the others. kind is numbered or 0.
func (c *costs) add(cost uint64, kind uint32) {
	if c.last.cost == uint32(cost) && c.last.n&numbered == kind {
		c.last.n++
		return
	}
	c.push(cost, kind)
}

// push is add for a cost that is not equal to the last.
func (c *costs) push(cost uint64, kind uint32) {
	if c.last.count() > 0 {
		if len(c.q) == cap(c.q) {
			c.makeRoom()
		}
		c.q = append(c.q, c.last)
	}
	c.last = run{uint32(cost), kind | 1}
}

// makeRoom makes room for an entry more: where those that are gone have been, if these are many, or
// if there is as much as there will be.
func (c *costs) makeRoom() {
	n := len(c.q)
	switch {
	case c.head > 0 && (c.head >= n/2 || n >= runsRoom):
		c.q, c.head = c.q[:copy(c.q, c.q[c.head:])], 0
	case n < runsRoom:
		c.q, c.head = append(make([]run, 0, min(max(8, 2*n), runsRoom)), c.q[c.head:]...), 0
	}
}

// take takes so much from the front and returns how many numbered messages that were.
func (c *costs) take(amount uint64) (plain uint64) {
	c.over += amount
	for c.head < len(c.q) {
		plain += c.takeFrom(&c.q[c.head])
		if c.q[c.head].count() > 0 {
			return plain
		}
		c.head++
	}
	c.q, c.head = c.q[:0], 0
	if cap(c.q) > longCosts {
		c.q = nil
	}
	if c.last.count() > 0 {
		plain += c.takeFrom(&c.last)
	}
	return plain
}

// takeFrom takes what over covers of the first run.
func (c *costs) takeFrom(r *run) (plain uint64) {
	n := min(r.count(), c.over/uint64(r.cost))
	c.over -= n * uint64(r.cost)
	r.n -= uint32(n)
	if r.n&numbered != 0 {
		return n
	}
	return 0
}

// behind is the sum of the costs that come after the message which so many numbered ones follow.
func (c *costs) behind(plain uint64) (sum uint64) {
	for i := len(c.q); i >= c.head; i-- {
		r := c.last
		if i < len(c.q) {
			r = c.q[i]
		}
		n := r.count()
		if r.n&numbered != 0 && n > 0 {
			if plain == 0 {
				break
			}
			n = min(n, plain)
			plain -= n
		}
		sum += n * uint64(r.cost)
	}
	return sum
}
