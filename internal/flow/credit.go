package flow

import (
	"errors"
	"slices"
)

// Guaranteed is the credit in bytes that every channel and stream has from the start.
const Guaranteed = 64 << 10

// How far a sender goes beyond what is taken, whatever it is allowed: what is not known to have
// been taken costs the sender memory, and how much that is must not be the receiver's choice alone.
// Receivers of this module with the default max message never allow more.
const (
	// Ahead is for messages that need no announcement, and how far others may begin.
	Ahead = 4 << 20

	// AheadLarge is how far those may go that are larger. One may always go beyond it, from Ahead on.
	AheadLarge = 21 << 20
)

// ErrCredit is a violation of credit by the other side.
var ErrCredit = errors.New("flow: credit violated")

// Credit is the sender's side of one channel: how much was sent, taken and allowed, in bytes of cost since
// the link began, and who waits for more. Its owner's lock guards it.
type Credit struct {
	Sent    uint64 // reserved by Reserve or for a Waiter, or skipped
	Taken   uint64 // as the receiver reported it last
	Allowed uint64 // how far Sent may go

	queue     []*Waiter
	crowded   bool   // see Crowd
	asked     uint64 // the total that an announcement under way asks for, 0 if there is none
	abandoned bool   // nobody waits for the announced message any more
}

// A Waiter is a message that waits for its credit.
type Waiter struct {
	cost  uint64
	at    uint64
	ready chan struct{}
}

// At is what Sent was before the credit was reserved: the message must be sent when all of that has
// been, because the receiver's rules go by the order in which messages come. It is set when Ready
// is closed.
func (w *Waiter) At() uint64 { return w.at }

// Ready is closed when the credit has been reserved for the waiter.
func (w *Waiter) Ready() <-chan struct{} { return w.ready }

// NewCredit is the credit of a channel that was just opened.
func NewCredit() Credit { return Credit{Allowed: Guaranteed} }

// Reserve takes credit for a message if there is enough of it, the sender is not too far ahead, and
// nobody waits already, so that messages keep their order. The message must be sent when all that
// Sent counted before has been.
func (c *Credit) Reserve(cost uint64) bool {
	if len(c.queue) > 0 || c.Allowed-c.Sent < cost || !c.within(cost) {
		return false
	}
	c.Sent += cost
	return true
}

// within reports whether the sender itself goes so far with what is not taken.
func (c *Credit) within(cost uint64) bool {
	ahead := c.Sent - c.Taken
	if cost <= Guaranteed {
		return !c.crowded && ahead+cost <= Ahead
	}
	return ahead <= Ahead || ahead+cost <= AheadLarge
}

// Crowd says whether so many messages are under way that the sender wants no more of those that
// need no announcement, whatever their credit. Larger ones are few in any case.
func (c *Credit) Crowd(crowded bool) {
	c.crowded = crowded
	c.advance()
}

// Wait queues for credit. The caller must look at Announce and Waiting next, and either wait for Ready or call Cancel.
func (c *Credit) Wait(cost uint64) *Waiter {
	w := &Waiter{cost: cost, ready: make(chan struct{})}
	c.queue = append(c.queue, w)
	return w
}

// Cancel takes a waiter out of the queue. It reports false if the credit was reserved for it
// already: the message must then be sent. The caller must look at Announce and Waiting next, for
// who is first now.
func (c *Credit) Cancel(w *Waiter) bool {
	i := slices.Index(c.queue, w)
	if i < 0 {
		return false
	}
	c.queue = slices.Delete(c.queue, i, i+1)
	if i == 0 && c.asked > 0 {
		c.abandoned = true
	}
	c.advance()
	return true
}

// Announce reports the cost to announce, if the first message in the queue is one that needs it and no announcement is
// under way. The caller must send the announcement, and must have sent all that Sent counts: the receiver adds the
// cost to what it has received.
func (c *Credit) Announce() (cost uint64, ok bool) {
	if len(c.queue) == 0 || c.asked > 0 {
		return 0, false
	}
	w := c.queue[0]
	if w.cost <= Guaranteed || c.Allowed-c.Sent >= w.cost || !c.within(w.cost) {
		return 0, false // one that is announced must be begun as soon as it is granted
	}
	c.asked = c.Sent + w.cost
	return w.cost, true
}

// Waiting reports whether the first message in the queue is one that the receiver does not know of by an announcement.
func (c *Credit) Waiting() bool { return len(c.queue) > 0 && (c.asked == 0 || c.abandoned) }

// Update takes the receiver's totals over and gives the waiters what they can have. It returns how
// much is to be skipped: credit that was granted to a message that nobody waits for any more, and
// that is not for small ones. Sent counts it already, behind the total at.
func (c *Credit) Update(taken, allowed uint64) (skip, at uint64, err error) {
	if taken < c.Taken || taken > c.Sent || allowed < c.Allowed || allowed < taken {
		return 0, 0, ErrCredit
	}
	ordinary := max(c.Allowed, taken+Guaranteed)
	c.Taken, c.Allowed = taken, allowed
	if c.asked > 0 && c.Allowed >= c.asked {
		granted, unused := c.asked, c.abandoned
		c.asked, c.abandoned = 0, false
		if unused {
			c.serve(min(ordinary, allowed))
			if granted > c.Sent {
				skip, at = granted-c.Sent, c.Sent
				c.Sent = granted
			}
		}
	}
	c.advance()
	return skip, at, nil
}

// advance reserves credit for the waiters in front, as far as it goes. A large message behind an
// announcement that was given up waits until that one is answered, because a channel has only one.
func (c *Credit) advance() { c.serve(c.Allowed) }

// serve is advance with a total of its own for messages that need no announcement.
func (c *Credit) serve(ordinary uint64) {
	for len(c.queue) > 0 {
		w := c.queue[0]
		to := c.Sent + w.cost
		if to > c.Allowed || w.cost <= Guaranteed && to > ordinary || !c.within(w.cost) {
			return
		}
		c.queue[0] = nil
		c.queue = c.queue[1:]
		w.at = c.Sent
		c.Sent += w.cost
		close(w.ready)
	}
}
