package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
)

// catchUp sends what waits on a channel.
func (s *Session) catchUp(o *overflow, name string, q *channelQueue) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(q.items) > 0 {
		w := q.items[0]
		o.mu.Unlock()
		var err error
		if w.d == nil {
			s.link.LeaveOut(o == &s.fromClients, name, w.leftOut)
		} else if err = s.sendSlowly(w.d); errors.Is(err, errTooSlow) {
			s.server.tooSlow(s)
		}
		o.mu.Lock()
		if w.d == nil {
			// More may have been left out meanwhile.
			q.items[0].leftOut -= w.leftOut
			if q.items[0].leftOut > 0 {
				continue
			}
		} else {
			o.bytes -= w.d.size
		}
		if o == &s.fromServer && errors.Is(err, channel.CodeNoHandler) {
			s.unhandled = err
		}
		q.items[0] = queued{}
		q.items = q.items[1:]
		o.wake()
	}
	delete(o.queues, name)
	o.some.Add(-1)
	o.wake()
}

// sendSlowly sends a message that the client cannot take yet, if it can be sent at all. The error
// is errTooSlow if the client is there and for Server.SlowTimeout takes nothing of what the server's
// application sends on the channel. For what other clients send it has until its session ends: they
// must not end it.
func (s *Session) sendSlowly(d *delivery) error {
	if d.group != nil {
		return s.send(context.Background(), d)
	}
	for began := time.Now(); ; {
		moved, err := s.sendWhileItMoves(d, began)
		if !errors.Is(err, errTooSlow) {
			return err
		}
		again, ok := s.wasGone(moved)
		if !ok {
			return err
		}
		began = again // it may have its grace: what waits is bounded
	}
}

// looks is how often in SlowTimeout it is looked whether a client takes anything.
const looks = 4

// sendWhileItMoves sends a message, and gives up with errTooSlow if since a moment, or since what
// is sent on the channel has last moved, SlowTimeout is over: a message before it may be large, or
// the line slow. Then moved is since when nothing has.
func (s *Session) sendWhileItMoves(d *delivery, since time.Time) (moved time.Time, err error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	look := s.server.slowTimeout() / looks
	before := s.link.Progress(d.Channel)
	moved = since
	var timer *time.Timer
	var mu sync.Mutex
	mu.Lock() // until timer is set
	timer = time.AfterFunc(look, func() {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		if now := s.link.Progress(d.Channel); now != before {
			moved, before = time.Now(), now
		}
		if time.Since(moved) >= s.server.slowTimeout() {
			cancel(errTooSlow)
			return
		}
		timer.Reset(look)
	})
	mu.Unlock()
	defer timer.Stop()
	defer cancel(nil) // before, so that it is not set anew
	err = s.send(ctx, d)
	mu.Lock()
	defer mu.Unlock()
	return moved, err
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

// tooSlow ends a session that holds others up.
func (s *Server) tooSlow(sess *Session) {
	sess.slow.Store(true) // before others see that something has left the queue, or that it ends
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sess.ending {
		s.counters.slow.Add(1)
	}
	s.end(sess, errTooSlow.Code, errTooSlow.Text)
	s.unlist(sess) // the next message does not find it
}

func (s *Server) slowTimeout() time.Duration {
	if s.SlowTimeout <= 0 {
		return 5 * time.Second
	}
	return s.SlowTimeout
}
