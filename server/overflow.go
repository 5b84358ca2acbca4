package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wakeup"
)

// overflow is what a session has yet to be sent of what went to many: for each channel on which it
// could not take a message at once a queue, which a goroutine sends in order. So one that is slow
// holds up nobody, until Limits.SendQueue bytes wait for it. A session has two of them, fromServer
// for what the server's application sends to many, and fromClients for what other clients send to
// groups. They differ in what becomes of a session that takes nothing: only the first ends it. The
// zero value is empty.
type overflow struct {
	some atomic.Int32 // queues there are
	wg   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	queues map[string]*channelQueue // by the channel's name
	bytes  int
	moved  wakeup.Bell // less waits than before
	hold   holdup      // of those who wait for room
}

// channelQueue is what waits on one channel.
type channelQueue struct{ items []queued }

// queued is a message that waits, or how many were left out in its place.
type queued struct {
	d       *delivery
	leftOut uint64
}

// errNoRoom is for a message that would go beyond Limits.SendQueue.
var errNoRoom = errors.New("too much waits already")

// overflowOf is where a message waits.
func (s *Session) overflowOf(d *delivery) *overflow {
	if d.group != nil {
		return &s.fromClients
	}
	return &s.fromServer
}

// offer gives a session a message, to be sent at once or behind what waits for it. link.ErrFull
// says that it is left out, errNoRoom that there is no room at the moment.
func (s *Session) offer(d *delivery) error {
	err := s.offerInOrder(d)
	if err != nil && s.slow.Load() {
		return errTooSlow // whatever else its end looks like
	}
	return err
}

// offerInOrder is offer but for how the end of a session that was too slow looks.
func (s *Session) offerInOrder(d *delivery) error {
	o := s.overflowOf(d)
	if o.some.Load() == 0 {
		// What the same caller has sent before does not wait; of others there is no order to keep.
		if err := s.try(d); !errors.Is(err, link.ErrFull) || d.drop {
			return err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queues[d.Channel]
	if q == nil {
		if err := s.try(d); !errors.Is(err, link.ErrFull) || d.drop {
			return err
		}
	}
	switch {
	case d.drop:
		q.addLeftOut()
		return link.ErrFull
	case d.group == nil && s.slow.Load():
		return errTooSlow
	case o.closed:
		return context.Cause(s.Context())
	case !o.hasRoom(d, s.server.limits.SendQueue):
		return errNoRoom
	}
	o.bytes += d.size
	if q == nil {
		q = new(channelQueue)
		if o.queues == nil {
			o.queues = make(map[string]*channelQueue)
		}
		o.queues[d.Channel] = q
		o.some.Add(1)
		// It stops when nothing waits, at the latest soon after the session has ended.
		o.wg.Go(func() { s.catchUp(o, d.Channel, q) })
	}
	q.items = append(q.items, queued{d: d.keep()})
	return nil
}

// hasRoom reports whether a message may wait: one may if nothing else does. Call it with mu held.
func (o *overflow) hasRoom(d *delivery, most int) bool { return o.bytes == 0 || o.bytes+d.size <= most }

// addLeftOut notes that a message is left out behind what waits. Call it with the overflow's mu held.
func (q *channelQueue) addLeftOut() {
	if last := &q.items[len(q.items)-1]; last.d == nil {
		last.leftOut++
		return
	}
	q.items = append(q.items, queued{leftOut: 1})
}

// leaveOut leaves a message out, behind what waits.
func (s *Session) leaveOut(o *overflow, d *delivery) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if q := o.queues[d.Channel]; q != nil {
		q.addLeftOut()
	} else {
		s.link.LeaveOut(d.group != nil, d.Channel, 1)
	}
	s.dropped.Add(1)
	return errLeftOut
}

func (o *overflow) amount() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// deliveryOverhead is what a message that waits takes besides its body.
const deliveryOverhead = 256

func (s *Session) try(d *delivery) error {
	return s.link.TrySend(d.group, d.Channel, d.Encoding, d.Body, d.drop)
}

func (s *Session) send(ctx context.Context, d *delivery) error {
	if d.group == nil {
		return s.link.Send(ctx, d.Channel, d.Encoding, d.Body)
	}
	return s.link.SendGroup(ctx, d.group, d.Channel, d.Encoding)
}
