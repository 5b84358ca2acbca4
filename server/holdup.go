package server

import (
	"errors"
	"sync"
	"time"

	"github.com/pysock/pysock/keys"
)

// holdup is how long a session holds up those who send to many: what they send has no room among
// what waits for it already. It is a clock that runs while anybody waits, however many do, and goes
// back slowly while nobody does: who takes a little now and then must not hold them up again and
// again. When it shows Server.SlowTimeout the session has had its share. Nor does a new session of
// the same key begin at zero: see holdups. It is at zero once more when the client has come back
// over another connection, but only once until it has gone back by itself, for the same reason.
// overflow.mu guards it.
type holdup struct {
	share
	waiting map[*waiter]int // who waits for room, and the number that the session has there
	since   time.Time       // the clock runs since then, if anybody waits
	began   time.Time       // when it first ran since it was at zero
	timer   *time.Timer     // ends when the clock shows SlowTimeout; nil before anybody waited
}

// share is what a clock shows that does not run, and whether it has begun anew because the client
// was back.
type share struct {
	used  time.Duration
	again bool
}

const (
	// holdupBack is how many times longer the clock takes to go back.
	holdupBack = 20
	// briefly is how long one that has lost its connection is waited for: most often it is back at once.
	briefly = time.Second
)

// holdups remembers the shares of keys whose sessions have held others up, for as long as their
// clocks take to go back to zero, apart for what the server's application sends and for what other
// clients do.
type holdups struct {
	mu sync.Mutex // below overflow.mu
	of *shelf[holdupOf, stopped]
}

type holdupOf struct {
	key         keys.PublicKey
	fromClients bool
}

// stopped is a share, and since when the clock goes back.
type stopped struct {
	share
	at time.Time
}

func newHoldups(slowTimeout time.Duration, most int) *holdups {
	return &holdups{of: newShelf[holdupOf, stopped](holdupBack*slowTimeout, 2*most, 2)}
}

// share is what a clock shows now. Call it with mu held.
func (h *holdups) share(of holdupOf, now time.Time) share {
	it, _, _ := h.of.get(of, now)
	it.used -= min(it.used, now.Sub(it.at)/holdupBack)
	it.again = it.again && it.used > 0
	return it.share
}

// put sets what a clock shows that has stopped. Other sessions of the key have clocks as well: the
// one that shows most counts.
func (h *holdups) put(of holdupOf, it share, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	it.used = max(it.used, h.share(of, now).used)
	h.of.put(of, of.key, stopped{it, now}, now)
}

// begin is what a clock shows that begins to run.
func (h *holdups) begin(of holdupOf, now time.Time) share {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.share(of, now)
}

// reset sets a clock to zero, once.
func (h *holdups) reset(of holdupOf, now time.Time) share {
	h.mu.Lock()
	defer h.mu.Unlock()
	it := share{again: true}
	h.of.put(of, of.key, stopped{it, now}, now)
	return it
}

// holdupOf is whose clock that of an overflow is.
func (s *Session) holdupOf(o *overflow) holdupOf { return holdupOf{s.key, o == &s.fromClients} }

// wake has those who wait look again.
func (h *holdup) wake() {
	for w, i := range h.waiting {
		w.look(i)
	}
}

// waitLeft is how long one may yet wait for room, 0 or less if no more. Call it with o.mu held,
// while the clock runs.
func (s *Session) waitLeft(o *overflow) time.Duration {
	h, now := &o.hold, time.Now()
	if s.conn == nil {
		return s.server.slowTimeout() - h.used - now.Sub(h.since)
	}
	if since, _ := s.conn.Traffic(); !h.again && since.After(h.began) {
		h.share, h.since = s.server.holdups.reset(s.holdupOf(o), now), since
	}
	left := s.server.slowTimeout() - h.used - now.Sub(h.since)
	if since, away := s.conn.Away(); away {
		left = min(left, briefly-now.Sub(since))
	}
	return left
}

// beginWait begins to wait for room, if one may.
func (s *Session) beginWait(o *overflow, w *waiter, i int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &o.hold
	if len(h.waiting) == 0 {
		h.since = time.Now()
		h.share = s.server.holdups.begin(s.holdupOf(o), h.since)
		if h.used == 0 || h.began.IsZero() {
			h.began = h.since
		}
	}
	left := s.waitLeft(o)
	if left <= 0 {
		return false
	}
	if len(h.waiting) == 0 {
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
func (s *Session) endWait(o *overflow, w *waiter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := &o.hold
	if delete(h.waiting, w); len(h.waiting) == 0 {
		now := time.Now()
		h.used += now.Sub(h.since)
		s.server.holdups.put(s.holdupOf(o), h.share, now)
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
