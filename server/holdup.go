package server

import (
	"errors"
	"time"
)

// holdup is how long a session holds up those who send to many: what they send has no room among
// what waits for it already. It is a clock that runs while anybody waits, however many do. When it
// shows Server.SlowTimeout the session has had its share, until nothing has waited for it for as
// long: who takes a little now and then must not hold them up again and again. It is at zero once
// more when the client has come back over another connection, but only once until then, for the
// same reason. overflow.mu guards it.
type holdup struct {
	waiting map[*waiter]int // who waits for room, and the number that the session has there
	since   time.Time       // the clock runs since then, if anybody waits
	spent   time.Duration   // what it showed then
	began   time.Time       // when it first ran
	again   bool            // it has begun anew because the client was back
	timer   *time.Timer     // ends when the clock shows SlowTimeout; nil before anybody waited
}

// reset sets the clock to zero. Call it when nobody waits.
func (h *holdup) reset() { h.spent, h.again = 0, false }

// wake has those who wait look again.
func (h *holdup) wake() {
	for w, i := range h.waiting {
		w.look(i)
	}
}

// waitLeft is how long one may yet wait for room, 0 or less if no more. Call it with o.mu held.
func (s *Session) waitLeft(o *overflow) time.Duration {
	h, now := &o.hold, time.Now()
	if len(h.waiting) == 0 && h.spent == 0 {
		return s.server.slowTimeout()
	}
	if s.conn != nil && !h.again {
		if since, _ := s.conn.Traffic(); since.After(h.began) {
			h.again, h.spent, h.since = true, 0, since
		}
	}
	left := s.server.slowTimeout() - h.spent
	if len(h.waiting) > 0 {
		left -= now.Sub(h.since)
	}
	return left
}

// beginWait begins to wait for room, if one may: a session whose client is away has had its share.
func (s *Session) beginWait(o *overflow, w *waiter, i int) bool {
	if s.isAway() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &o.hold
	left := s.waitLeft(o)
	if left <= 0 {
		return false
	}
	if len(h.waiting) == 0 {
		h.since = time.Now()
		if h.spent == 0 {
			h.began = h.since
		}
		if h.timer == nil {
			h.timer = time.AfterFunc(left, func() { s.clockRanOut(o) })
		} else {
			h.timer.Reset(left)
		}
	}
	if h.waiting == nil {
		h.waiting = make(map[*waiter]int)
	}
	h.waiting[w] = i
	return true
}

// endWait ends what beginWait began.
func (o *overflow) endWait(w *waiter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &o.hold
	if delete(h.waiting, w); len(h.waiting) == 0 {
		h.spent += time.Since(h.since)
		h.timer.Stop()
		h.waiting = nil // a map keeps what it once needed
	}
}

// clockRanOut is called by the timer when the clock should show SlowTimeout.
func (s *Session) clockRanOut(o *overflow) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.hold.waiting) == 0 {
		return
	}
	if left := s.waitLeft(o); left > 0 {
		o.hold.timer.Reset(left)
		return
	}
	o.hold.wake()
}

// offerAgain offers a message again to a session that had no room for it. errNoRoom says to wait on.
func (s *Session) offerAgain(o *overflow, d *delivery) error {
	err := s.offer(d)
	if !errors.Is(err, errNoRoom) {
		return err
	}
	o.mu.Lock()
	left := s.waitLeft(o)
	o.mu.Unlock()
	if left > 0 {
		return err
	}
	return s.giveUp(o, d)
}

// giveUp is what becomes of a message that is not waited for any more: the session is ended if the
// server's application sends it. What other clients send is left out.
func (s *Session) giveUp(o *overflow, d *delivery) error {
	if d.group != nil {
		return s.leaveOut(o, d)
	}
	s.server.tooSlow(s)
	return errTooSlow
}
