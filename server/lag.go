package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
)

// lags are what a session has yet to be sent of what went to many: for each channel on which it
// could not take a message at once a queue, which a goroutine sends in order. So one that is slow
// holds up nobody, until Limits.SendQueue bytes wait for it. There are two of them: of what the
// server's application sends, and of what other clients send to groups. The zero value is empty.
type lags struct {
	some atomic.Int32 // queues there are
	slow atomic.Bool  // it has not taken what waits in time, and its session is being ended
	wg   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	by      map[string]*lag // by the channel's name
	bytes   int
	moved   chan struct{} // closed when less waits than before; nil while nobody looks
	hold    holdup        // of those who wait for room
	emptied time.Time     // nothing waits since then
	refused error         // by the client, of a message that waited; whoever calls Flush is to hear of it
}

type lag struct{ queue []waiting }

// waiting is a message that waits, or how many were left out in its place.
type waiting struct {
	d    *delivery
	left uint64
}

// errNoRoom is for a message that would go beyond Limits.SendQueue.
var errNoRoom = errors.New("too much waits already")

// lagsOf are those that a message waits in.
func (s *Session) lagsOf(d *delivery) *lags {
	if d.group != nil {
		return &s.mail
	}
	return &s.lags
}

// offer gives a session a message, to be sent at once or behind what waits for it. link.ErrFull
// says that it is left out, errNoRoom that there is no room at the moment.
func (s *Session) offer(d *delivery) error {
	err := s.offerOrder(d)
	if err != nil && s.lags.slow.Load() {
		return errTooSlow // whatever else its end looks like
	}
	return err
}

// offerOrder is offer but for how the end of a session that was too slow looks.
func (s *Session) offerOrder(d *delivery) error {
	g := s.lagsOf(d)
	if g.some.Load() == 0 {
		// What the same caller has sent before does not wait; of others there is no order to keep.
		if err := s.try(d); !errors.Is(err, link.ErrFull) || d.drop {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.by[d.Channel]
	if l == nil {
		if err := s.try(d); !errors.Is(err, link.ErrFull) || d.drop {
			return err
		}
	}
	switch {
	case d.drop:
		l.leaveOut()
		return link.ErrFull
	case g.slow.Load():
		return errTooSlow
	case g.closed:
		return context.Cause(s.Context())
	case !g.hasRoom(d, s.server.limits.SendQueue):
		return errNoRoom
	}
	g.bytes += d.size
	if l == nil {
		l = new(lag)
		if g.by == nil {
			g.by = make(map[string]*lag)
		}
		if len(g.by) == 0 && time.Since(g.emptied) >= s.server.slowTimeout() {
			g.hold.reset()
		}
		g.by[d.Channel] = l
		g.some.Add(1)
		g.wg.Go(func() { s.catchUp(g, d.Channel, l) }) // stops when nothing waits, at the latest soon after the session has ended
	}
	l.queue = append(l.queue, waiting{d: d.keep()})
	return nil
}

// hasRoom reports whether a message may wait: one may if nothing else does. Call it with mu held.
func (g *lags) hasRoom(d *delivery, most int) bool { return g.bytes == 0 || g.bytes+d.size <= most }

// leaveOut notes that a message is left out behind what waits.
func (l *lag) leaveOut() {
	if last := &l.queue[len(l.queue)-1]; last.d == nil {
		last.left++
		return
	}
	l.queue = append(l.queue, waiting{left: 1})
}

// catchUp sends what waits on a channel.
func (s *Session) catchUp(g *lags, name string, l *lag) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(l.queue) > 0 {
		w := l.queue[0]
		g.mu.Unlock()
		var err error
		if w.d == nil {
			s.link.LeaveOut(g == &s.mail, name, w.left)
		} else if err = s.sendSlowly(w.d); errors.Is(err, errTooSlow) {
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
			g.bytes -= w.d.size
		}
		if errors.Is(err, channel.CodeNoHandler) {
			g.refused = err
		}
		l.queue[0] = waiting{}
		l.queue = l.queue[1:]
		g.wake()
	}
	delete(g.by, name)
	g.some.Add(-1)
	if len(g.by) == 0 {
		g.emptied = time.Now()
	}
	g.wake()
}

// sendSlowly sends a message that the client cannot take yet, if it can be sent at all. The error
// is errTooSlow if the client is there and does not take for Server.SlowTimeout what the server's
// application sends. For what other clients send it has until its session ends: they must not end
// it.
func (s *Session) sendSlowly(d *delivery) error {
	if d.group != nil {
		return s.send(context.Background(), d)
	}
	for began := time.Now(); ; {
		ctx, cancel := context.WithDeadlineCause(context.Background(), began.Add(s.server.slowTimeout()), errTooSlow)
		err := s.send(ctx, d)
		cancel()
		if !errors.Is(err, errTooSlow) {
			return err
		}
		again, ok := s.wasGone(began)
		if !ok {
			return err
		}
		began = again // it may have its grace: what waits is bounded
	}
}

// soonHeard is how long a client that is there may take for a sign of life. One that takes longer
// was not: its network was.
const soonHeard = time.Second

// wasGone reports whether the client was not there at some time since a moment, or is not now, and
// since when the time that it has counts anew. Of one whose network is gone nobody may have
// noticed: it is asked for a sign of life if it has given none. So this may take as long as it
// takes to find a connection lost, and ends with the session.
func (s *Session) wasGone(after time.Time) (again time.Time, gone bool) {
	if s.conn == nil {
		return again, false
	}
	asked := time.Now()
	since, heard := s.conn.AwaitSign(after, 2*keepAliveTimeout)
	switch {
	case since.IsZero(): // away, or its session has ended
		return time.Now(), true
	case since.After(after): // back
		return since, true
	case heard.Sub(asked) >= soonHeard:
		return heard, true
	}
	return again, false
}

// wake lets those look again who wait. Call it with mu held.
func (g *lags) wake() {
	if g.moved != nil {
		close(g.moved)
		g.moved = nil
	}
	g.hold.wake()
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
func (s *Session) after(ctx context.Context, name string) error {
	if s.lags.some.Load() == 0 {
		return nil
	}
	return s.lags.wait(ctx, func() bool { return s.lags.by[name] == nil })
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
	g.wake()
	g.mu.Unlock()
	g.wg.Wait()
}

// leaveOut leaves a message out, behind what waits.
func (s *Session) leaveOut(g *lags, d *delivery) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.by[d.Channel]; l != nil {
		l.leaveOut()
	} else {
		s.link.LeaveOut(d.group != nil, d.Channel, 1)
	}
	s.dropped.Add(1)
	return errLeftOut
}

// refusal gives what the client has refused of what waited, once.
func (g *lags) refusal() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.refused
	g.refused = nil
	return err
}

// deliverRest gives what waits of the application's messages some time before the session is
// closed, and returns how many are left. It does not wait for a client that is away.
func (s *Session) deliverRest(ctx context.Context, most time.Duration) (left int) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if most > 0 && !s.isAway() {
		_ = s.afterAll(ctx) // what is left is counted
	}
	s.lags.mu.Lock()
	defer s.lags.mu.Unlock()
	for _, l := range s.lags.by {
		for _, w := range l.queue {
			if w.d != nil {
				left++
			}
		}
	}
	return left
}

func (g *lags) amount() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bytes
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

func (s *Server) slowTimeout() time.Duration {
	if s.SlowTimeout <= 0 {
		return 5 * time.Second
	}
	return s.SlowTimeout
}
