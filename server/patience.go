package server

import "time"

// Patience: when all places for handshakes are taken, connections wait to be accepted, in the
// kernel's queue, as long as patience lasts: a thousand honest clients that come at once after a
// restart each get their turn. It is used up by waiting and comes back slowly. A flood uses it up,
// and then who has the most handshakes makes room at once.
const (
	// patienceEach is how much there is for each place. A handshake takes a fraction of a millisecond of computing.
	patienceEach = 10 * time.Millisecond
	// patienceBack is how many times longer it takes to come back than to be used up.
	patienceBack = 20
)

// patience is how long accepting may still wait for a place. Its zero value is full.
type patience struct {
	used time.Duration
	at   time.Time // when used was right
}

// left is what there is now, of most in all.
func (p *patience) left(now time.Time, most time.Duration) time.Duration {
	if !p.at.IsZero() {
		p.used = max(p.used-now.Sub(p.at)/patienceBack, 0)
	}
	p.at = now
	return most - p.used
}

// spend uses some up.
func (p *patience) spend(d time.Duration) { p.used += d }

// awaitPlace waits for a place among the handshakes, if there is none and as long as patience
// lasts. Call it with mu held; it lets go of it while it waits.
func (s *Server) awaitPlace() {
	most := time.Duration(s.limits.MaxHandshakes) * patienceEach
	for s.handshakes.waiting.Len() >= s.limits.MaxHandshakes && !s.draining {
		begin := time.Now()
		left := s.patience.left(begin, most)
		if left <= 0 {
			return
		}
		changed := s.ended.Wait()
		s.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		s.mu.Lock()
		s.patience.spend(time.Since(begin))
	}
}
