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
// over another connection, but not again before it would have gone back by itself, for the same
// reason. overflow.mu guards it.
type holdup struct {
	share
	waiting map[*waiter]int // who waits for room, and the number that the session has there
	since   time.Time       // the clock runs since then, if anybody waits
	began   time.Time       // when it first ran since it was at zero; what holds for a connection made later has not been seen to
	timer   *time.Timer     // ends when the clock shows SlowTimeout; nil before anybody waited
}

// share is what a clock shows that does not run.
type share struct {
	used   time.Duration
	spared time.Time // a client that is back over another connection has had the time anew, and has it not again until then
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
	return it.share
}

// begin is what a clock shows that begins to run.
func (h *holdups) begin(of holdupOf, now time.Time) share {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.share(of, now)
}

// put sets what a clock shows that has stopped. Other sessions of the key have clocks as well: the
// one that shows most counts.
func (h *holdups) put(of holdupOf, it share, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.share(of, now)
	it.used = max(it.used, before.used)
	if before.spared.After(it.spared) {
		it.spared = before.spared
	}
	if it.used > 0 || it.spared.After(now) {
		h.of.put(of, of.key, stopped{it, now}, now)
	}
}

// spare sets a clock to zero that shows used, which it is not again before so much would have gone
// back by itself.
func (h *holdups) spare(of holdupOf, used time.Duration, now time.Time) share {
	h.mu.Lock()
	defer h.mu.Unlock()
	it := share{spared: now.Add(holdupBack * used)}
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
	if since, _ := s.conn.Traffic(); since.After(h.began) && !now.Before(h.spared) {
		h.share = s.server.holdups.spare(s.holdupOf(o), h.used+now.Sub(h.since), now)
		h.began = now
		if since.After(h.since) {
			h.since = since
		}
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
			h.timer = time.AfterFunc(left, func() { s.checkClock(o) })
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

// checkClock has those who wait look again if they have no time left.
func (s *Session) checkClock(o *overflow) {
	if s.watchClock(o) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hold.wake()
}

// watchClock sets the timer anew, for the time that is left now, and reports whether there is any:
// the client may have come back, or gone away, since it was set.
func (s *Session) watchClock(o *overflow) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.hold.waiting) == 0 {
		return true
	}
	left := s.waitLeft(o)
	if left > 0 {
		o.hold.timer.Reset(left)
	}
	return left > 0
}

// offerAgain offers a message again to a session that had no room for it. errNoRoom says to wait on.
func (s *Session) offerAgain(o *overflow, d *delivery) error {
	err := s.offer(d)
	if !errors.Is(err, errNoRoom) {
		return err
	}
	if s.watchClock(o) {
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
