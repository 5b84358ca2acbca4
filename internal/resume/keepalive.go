package resume

import (
	"time"
)

// pings are the signs of life of the present connection, guarded by Conn.mu.
type pings struct {
	answer    uint32 // id of the PING to answer
	answerDue bool

	id    uint32
	due   bool      // a PING is to be sent
	along bool      // one may go along with another record
	out   bool      // one is due or was sent, and not answered
	sent  time.Time // when it was written
	at    uint64    // and where the stream was then
	quiet time.Time // we ask since then whether the other side is alive; zero if we do not
	bytes uint64    // how many had arrived then

	roundTrip time.Duration
}

// restart forgets what belonged to another connection, but not how long a round trip took.
func (p *pings) restart() { *p = pings{id: p.id, roundTrip: p.roundTrip} }

// ask makes a PING due.
func (p *pings) ask() { p.due, p.out = true, true }

// sending returns the id of the PING that is being written.
func (p *pings) sending(now time.Time) uint32 {
	p.id++
	p.due, p.along, p.out, p.sent = false, false, true, now
	return p.id
}

// answered reports whether it is the last PING that a PONG is for.
func (p *pings) answered(id uint32, now time.Time) bool {
	if id != p.id || !p.out || p.due {
		return false
	}
	p.out = false
	p.roundTrip = max(1, now.Sub(p.sent))
	return true
}

// RoundTrip returns how long the last PING took to be answered, 0 if none was yet. There is one
// after Idle at the latest if the other side is silent, and otherwise one about every 4 Idle.
func (c *Conn) RoundTrip() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pings.roundTrip
}

// Probe asks the other side for a sign of life now, for a process that has slept: if nothing is
// heard for Timeout the connection is lost.
func (c *Conn) Probe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lower != nil && c.err == nil && !c.in.ended && c.out.failed == nil && c.pings.quiet.IsZero() {
		c.startProbe(time.Now())
	}
}

// AwaitSign waits for a sign of life of the other side that comes after a moment, and asks for one
// as Probe does if there has been none. It gives up after d, and when the connection is lost or
// another has taken its place. It returns since when the present connection is there and when
// something was last heard on it; zero if there is none.
func (c *Conn) AwaitSign(after time.Time, d time.Duration) (since, heard time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := time.Now().Add(d)
	for gen := c.gen; c.gen == gen && c.lower != nil && c.err == nil && !c.in.ended && !c.in.heard.After(after) &&
		!passed(until); {
		if c.out.failed == nil && c.pings.quiet.IsZero() {
			c.startProbe(time.Now())
		}
		c.in.awaited = true
		c.wait(until)
	}
	if c.lower == nil || c.err != nil {
		return time.Time{}, time.Time{}
	}
	return c.since, c.in.heard
}

// startProbe sends a PING and gives the other side Timeout. Call it with mu held.
func (c *Conn) startProbe(now time.Time) {
	c.pings.quiet, c.pings.bytes = now, c.arrivals()
	c.pings.ask()
	c.start()
	c.timer.Reset(c.cfg.Timeout)
}

// arrivals is how many bytes the connection has brought, 0 if it does not tell. Call it with mu
// held.
func (c *Conn) arrivals() uint64 {
	if l, ok := c.lower.(interface{ Received() uint64 }); ok {
		return l.Received()
	}
	return 0
}

// tick is called by the timer, which nobody resets when something is heard: it looks when that
// was, and comes again.
func (c *Conn) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lower == nil || c.err != nil || c.in.ended && c.out.failed == nil {
		return
	}
	if c.out.failed != nil {
		c.lose(c.out.failed)
		return
	}
	now := time.Now()
	if !c.in.listening {
		c.in.heard = now // nobody listens, so nobody knows
	}
	silent := now.Sub(c.in.heard)
	switch {
	case c.in.heard.Before(c.pings.quiet):
		switch left := c.cfg.Timeout - now.Sub(c.pings.quiet); {
		case left > 0:
			c.timer.Reset(left)
		case c.arrivals() != c.pings.bytes:
			// A record is coming, slowly. Its sender hears nothing of that but that we ask again: the
			// answers to its own PINGs wait for the record.
			c.startProbe(now)
		default:
			c.lose(ErrSilent)
		}
	case silent >= c.cfg.Idle:
		c.startProbe(now)
	default:
		c.pings.quiet = time.Time{}
		// For the round trip. It costs a record of the other side, so that it is not always done.
		c.pings.along = now.Sub(c.pings.sent) >= 4*c.cfg.Idle
		// Who sends much over a slow connection should not have to wait for 64 KiB to hear of us.
		c.in.soon = c.in.soon || c.position() > c.in.told
		c.start()
		c.timer.Reset(c.cfg.Idle - silent)
	}
}
