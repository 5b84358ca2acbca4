package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/internal/link"
)

// lags are what a session has yet to be sent of what went to many: for each channel on which it could not take a message at once a queue, which a goroutine sends in order. So one that is slow
// holds up nobody, until Limits.SendQueue bytes wait for it. The zero value is empty.
type lags struct {
	some atomic.Int32 // queues there are
	wg   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	slow   bool // it has not taken what waits in time, and its session is being ended
	by     map[lagKey]*lag
	bytes  int
	moved  chan struct{} // closed when less waits than before; nil while nobody looks
}

// lagKey is a channel: the application's, or of its name that of group messages.
type lagKey struct {
	group bool
	name  string
}

type lag struct{ queue []waiting }

// waiting is a message that waits, or how many were left out in its place.
type waiting struct {
	d    *delivery
	left uint64
}

// errNoRoom is for a message that would go beyond Limits.SendQueue.
var errNoRoom = errors.New("too much waits already")

// offer gives a session a message, to be sent at once or behind what waits for it. errNoRoom says that there is no room at the moment, link.ErrFull that it is left out.
func (s *Session) offer(d *delivery) error {
	g, key := &s.lags, d.key()
	if g.some.Load() == 0 {
		// What the same caller has sent before does not wait; of others there is no order to keep.
		if err := s.try(d); !errors.Is(err, link.ErrFull) || d.drop {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.by[key]
	if l == nil {
		if err := s.try(d); !errors.Is(err, link.ErrFull) || d.drop {
			return err
		}
	}
	switch {
	case d.drop:
		l.leaveOut()
		return link.ErrFull
	case g.slow:
		return errTooSlow
	case g.closed:
		return context.Cause(s.Context())
	case !g.hasRoom(d, s.server.limits.SendQueue):
		return errNoRoom
	}
	g.bytes += d.size()
	if l == nil {
		l = new(lag)
		if g.by == nil {
			g.by = make(map[lagKey]*lag)
		}
		g.by[key] = l
		g.some.Add(1)
		g.wg.Go(func() { s.catchUp(key, l) }) // stops when nothing waits, at the latest soon after the session has ended
	}
	l.queue = append(l.queue, waiting{d: d.keep()})
	return nil
}

// hasRoom reports whether a message may wait: one may if nothing else does. Call it with mu held.
func (g *lags) hasRoom(d *delivery, most int) bool { return g.bytes == 0 || g.bytes+d.size() <= most }

// leaveOut notes that a message is left out behind what waits.
func (l *lag) leaveOut() {
	if last := &l.queue[len(l.queue)-1]; last.d == nil {
		last.left++
		return
	}
	l.queue = append(l.queue, waiting{left: 1})
}

// catchUp sends what waits.
func (s *Session) catchUp(key lagKey, l *lag) {
	g := &s.lags
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(l.queue) > 0 {
		w := l.queue[0]
		g.mu.Unlock()
		if w.d == nil {
			s.link.LeaveOut(key.group, key.name, w.left)
		} else if !s.sendSlowly(w.d) {
			g.giveUp()
			s.server.tooSlow(s)
		}
		g.mu.Lock()
		if w.d == nil {
			// More may have been left out meanwhile.
			l.queue[0].left -= w.left
			if l.queue[0].left > 0 {
				continue
			}
		} else {
			g.bytes -= w.d.size()
		}
		l.queue[0] = waiting{}
		l.queue = l.queue[1:]
		g.wake()
	}
	delete(g.by, key)
	g.some.Add(-1)
	g.wake()
}

// giveUp lets nothing more wait.
func (g *lags) giveUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slow = true
}

// sendSlowly sends a message that the client cannot take yet, if it can be sent at all. It reports false if the client is there and does not take it for Server.SlowTimeout.
func (s *Session) sendSlowly(d *delivery) bool {
	for {
		ctx, cancel := context.WithTimeoutCause(context.Background(), s.server.slowTimeout(), errTooSlow)
		err := s.send(ctx, d)
		cancel()
		switch {
		case !errors.Is(err, errTooSlow):
			return true // or the channel is refused, or the session has ended
		case !s.isAway():
			return false
		}
		// It may have its grace: what waits is bounded.
	}
}

// wake lets those look again who wait. Call it with mu held.
func (g *lags) wake() {
	if g.moved != nil {
		close(g.moved)
		g.moved = nil
	}
}

// wait waits until less waits than now, unless done says that nothing needs waiting for.
func (g *lags) wait(ctx context.Context, done func() bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !done() {
		if g.moved == nil {
			g.moved = make(chan struct{})
		}
		moved := g.moved
		g.mu.Unlock()
		var err error
		select {
		case <-moved:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		g.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// after waits until nothing that was sent to many waits any more on a channel, so that what comes now comes after it.
func (s *Session) after(ctx context.Context, key lagKey) error {
	if s.lags.some.Load() == 0 {
		return nil
	}
	return s.lags.wait(ctx, func() bool { return s.lags.by[key] == nil })
}

// afterAll is after for all channels.
func (s *Session) afterAll(ctx context.Context) error {
	if s.lags.some.Load() == 0 {
		return nil
	}
	return s.lags.wait(ctx, func() bool { return len(s.lags.by) == 0 })
}

// close waits until nothing is sent any more, of a session that has ended.
func (g *lags) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}

// await offers a message again and again to a session that has no room for it, until it has. One that is away then has had its share.
func (s *Session) await(ctx context.Context, d *delivery) error {
	for {
		err := s.offer(d)
		if !errors.Is(err, errNoRoom) {
			return err
		}
		if s.isAway() {
			return errTooSlow
		}
		room := func() bool { return s.lags.slow || s.lags.closed || s.lags.hasRoom(d, s.server.limits.SendQueue) }
		if err := s.lags.wait(ctx, room); err != nil {
			return err
		}
	}
}

func (g *lags) amount() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bytes
}

func (d *delivery) key() lagKey { return lagKey{d.head != nil, d.Channel} }

// size is what a message takes while it waits.
func (d *delivery) size() int { return len(d.Body) + deliveryOverhead }

// deliveryOverhead is what it takes besides its body.
const deliveryOverhead = 256

func (s *Session) try(d *delivery) error {
	return s.link.TrySend(d.head, d.Channel, d.Encoding, d.Body, d.drop)
}

func (s *Session) send(ctx context.Context, d *delivery) error {
	if d.head == nil {
		return s.link.Send(ctx, d.Channel, d.Encoding, d.Body)
	}
	return s.link.SendGroup(ctx, *d.head, d.Channel, d.Encoding, d.Body)
}

func (s *Server) slowTimeout() time.Duration {
	if s.SlowTimeout <= 0 {
		return 5 * time.Second
	}
	return s.SlowTimeout
}
