package server

import (
	"context"
	"errors"
	"sync"
	"time"
)

// holdup is how long a session holds up those who send to many: what they send has no room among
// what waits for it already. It is a clock that runs while anybody waits, however many do. When it
// shows Server.SlowTimeout the session has had its share, until nothing has waited for it for as
// long: who takes a little now and then must not hold them up again and again. It is at zero once
// more when the client has come back over another connection, but only once until then, for the
// same reason. overflow.mu guards it.
type holdup struct {
	waiting map[*waiter]int // who waits for room, and as what of theirs
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

// patience is how long one may yet wait for room, 0 or less if no more. Call it with mu held.
func (s *Session) patience(o *overflow) time.Duration {
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

// enter begins to wait for room, if one may: a session whose client is away has had its share.
func (s *Session) enter(o *overflow, w *waiter, i int) bool {
	if s.isAway() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &o.hold
	left := s.patience(o)
	if left <= 0 {
		return false
	}
	if len(h.waiting) == 0 {
		h.since = time.Now()
		if h.spent == 0 {
			h.began = h.since
		}
		if h.timer == nil {
			h.timer = time.AfterFunc(left, func() { s.heldUp(o) })
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

// leave ends what enter began.
func (o *overflow) leave(w *waiter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &o.hold
	if delete(h.waiting, w); len(h.waiting) == 0 {
		h.spent += time.Since(h.since)
		h.timer.Stop()
		h.waiting = nil // a map keeps what it once needed
	}
}

// heldUp is called by the timer.
func (s *Session) heldUp(o *overflow) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.hold.waiting) == 0 {
		return
	}
	if left := s.patience(o); left > 0 {
		o.hold.timer.Reset(left)
		return
	}
	o.hold.wake()
}

// awaited offers a message again to a session that had no room for it. errNoRoom says to wait on.
func (s *Session) awaited(o *overflow, d *delivery) error {
	err := s.offer(d)
	if !errors.Is(err, errNoRoom) {
		return err
	}
	o.mu.Lock()
	left := s.patience(o)
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

// A waiter waits for room at several sessions at once, and is one goroutine: there may be as many
// who send as there are who take nothing.
type waiter struct {
	news chan struct{} // has one if there is something to look at

	mu    sync.Mutex // below all others
	again []int      // the numbers of the sessions to look at again
	noted []bool     // by number: it is among them
}

func newWaiter(n int) *waiter { return &waiter{news: make(chan struct{}, 1), noted: make([]bool, n)} }

// look notes that a session is to be looked at again. It does not wait.
func (w *waiter) look(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noted[i] {
		return
	}
	w.noted[i] = true
	w.again = append(w.again, i)
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// take gives what is to be looked at.
func (w *waiter) take() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	again := w.again
	w.again = nil
	for _, i := range again {
		w.noted[i] = false
	}
	return again
}

// deliverSlowly sends a message to sessions that have to be waited for, until ctx ends, and ends
// those that are too slow. It returns the error of each.
func (s *Server) deliverSlowly(ctx context.Context, slow []*Session, d *delivery) []error {
	errs := make([]error, len(slow))
	w, left := newWaiter(len(slow)), 0
	for i, sess := range slow {
		o := sess.overflowOf(d)
		if !sess.enter(o, w, i) {
			errs[i] = sess.giveUp(o, d)
			continue
		}
		errs[i] = errNoRoom
		left++
		w.look(i) // it may have got room before it could have said so
	}
	done := func(i int, err error) {
		errs[i] = err
		slow[i].overflowOf(d).leave(w)
		left--
	}
	for left > 0 {
		select {
		case <-w.news:
		case <-ctx.Done():
			for i := range errs {
				if errs[i] == errNoRoom {
					done(i, context.Cause(ctx))
				}
			}
			return errs
		}
		for _, i := range w.take() {
			if errs[i] != errNoRoom {
				continue // it was woken once more
			}
			if err := slow[i].awaited(slow[i].overflowOf(d), d); !errors.Is(err, errNoRoom) {
				done(i, err)
			}
		}
	}
	return errs
}
