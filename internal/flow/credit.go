package flow

import "errors"

// Guaranteed is the credit that every channel and stream has from the start.
const Guaranteed = 64 << 10

// ErrCredit is a violation of credit by the other side.
var ErrCredit = errors.New("flow: credit violated")

// Credit is the sender's side of one channel: how much was sent, taken and
// allowed, and who waits for more. Its owner's lock guards it.
type Credit struct {
	Sent, Taken, Allowed uint64

	queue     []*Waiter
	announced uint64 // cost of the announcement under way, 0 if none
	abandoned bool   // nobody waits for the announced message any more
}

// A Waiter is a message that waits for its credit.
type Waiter struct {
	cost  uint64
	ready chan struct{}
}

// Ready is closed when the credit has been reserved for the waiter.
func (w *Waiter) Ready() <-chan struct{} { return w.ready }

// NewCredit is the credit of a channel that was just opened.
func NewCredit() Credit { return Credit{Allowed: Guaranteed} }

// Reserve takes credit for a message if there is enough of it and nobody
// waits already, so that messages keep their order.
func (c *Credit) Reserve(cost uint64) bool {
	if len(c.queue) > 0 || c.Allowed-c.Sent < cost {
		return false
	}
	c.Sent += cost
	return true
}

// Wait queues for credit. The caller must look at Announce next, and either wait for Ready or call Cancel.
func (c *Credit) Wait(cost uint64) *Waiter {
	w := &Waiter{cost: cost, ready: make(chan struct{})}
	c.queue = append(c.queue, w)
	return w
}

// Cancel takes a waiter out of the queue. It reports false if the credit was
// reserved for it already: the message must then be sent.
func (c *Credit) Cancel(w *Waiter) bool {
	for i, q := range c.queue {
		if q != w {
			continue
		}
		c.queue = append(c.queue[:i], c.queue[i+1:]...)
		if i == 0 && c.announced > 0 && !c.abandoned {
			c.abandoned = true
		}
		c.advance()
		return true
	}
	return false
}

// Announce reports the cost to announce, if the first message in the queue is
// one that needs it and it has not been announced. The caller must send the announcement.
func (c *Credit) Announce() (cost uint64, ok bool) {
	if len(c.queue) == 0 || c.announced > 0 {
		return 0, false
	}
	w := c.queue[0]
	if w.cost <= Guaranteed || c.Allowed-c.Sent >= w.cost {
		return 0, false
	}
	c.announced = w.cost
	return w.cost, true
}

// Waiting reports whether a message waits for credit that was not announced: the receiver does not know of it.
func (c *Credit) Waiting() bool { return len(c.queue) > 0 && c.announced == 0 }

// Update takes the receiver's totals over and gives the waiters what they can have. It returns how much is to be
// skipped: credit that was granted to a message that nobody waits for any more.
func (c *Credit) Update(taken, allowed uint64) (skip uint64, err error) {
	if taken < c.Taken || taken > c.Sent || allowed < c.Allowed || allowed < taken {
		return 0, ErrCredit
	}
	c.Taken, c.Allowed = taken, allowed
	if c.announced > 0 && c.Allowed-c.Sent >= c.announced {
		if c.abandoned {
			skip = c.announced
			c.Sent += skip
		}
		c.announced, c.abandoned = 0, false
	}
	c.advance()
	return skip, nil
}

// advance reserves credit for the waiters in front, as far as it goes. A large message behind an
// announcement that was given up waits until that one is answered, because a channel has only one.
func (c *Credit) advance() {
	for len(c.queue) > 0 && c.Allowed-c.Sent >= c.queue[0].cost {
		w := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.Sent += w.cost
		close(w.ready)
	}
}
