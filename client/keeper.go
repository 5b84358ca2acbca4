package client

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/pysock/pysock/channel"
)

const (
	firstWait = 50 * time.Millisecond // the back-off begins with it
	mostWait  = 10 * time.Second      // and ends with it

	// Where nothing listens the server is down, for all of its clients: they must not be back all
	// at once when it is up again. Nor may they try twice or three times first: 5,000 that do
	// overflow its accept queue if it is back within these tries.
	downWait = 2 * time.Second

	// A connection that lasted no longer than brief, or a session that the server ended within
	// shortLived, does not reset the back-off: whatever ends them so fast would else be met some
	// hundred times a second.
	brief      = 100 * time.Millisecond
	shortLived = 10 * time.Second

	// A renewal that failed is not urgent: the connection works.
	firstRenewal = 10 * time.Second
	mostRenewal  = 10 * time.Minute

	// mostRetry is how long a server that goes down may ask us to stay away, at all of its
	// addresses. One that asks for more is tried after that.
	mostRetry = 10 * time.Minute

	// lateness is how much later than we the server may have noticed that the connection was lost.
	lateness = 30 * time.Second
)

// keeper keeps the client connected. Its goroutine lives as long as the client; all connections but the first are its.
type keeper struct {
	client  *Client
	dialer  *dialer
	sleeper *sleeper
	ctx     context.Context // ends attempts and waits
	stop    context.CancelFunc
	done    chan struct{} // closed when the goroutine has returned
	bell    chan struct{} // says that something may have been lost

	// Owned by the goroutine.
	session *session // the present, or the last
	back    backoff
	renewal renewal
	refused int  // attempts in a row that nobody listened for
	hurried bool // Close was called, and a pause cut short for it
}

// renewal says when the next connection is made while the present one works.
type renewal struct {
	due  time.Time // zero: when the connection's age or bytes say so
	anew bool      // after a sleep: a new session will do
	back backoff
}

func newKeeper(c *Client, d *dialer) *keeper {
	k := &keeper{
		client: c, dialer: d, sleeper: newSleeper(c.clock), done: make(chan struct{}), bell: make(chan struct{}, 1),
		back: backoff{first: firstWait, most: mostWait},
	}
	k.ctx, k.stop = context.WithCancel(context.Background())
	return k
}

// ring wakes the keeper up.
func (k *keeper) ring() {
	select {
	case k.bell <- struct{}{}:
	default:
	}
}

func (k *keeper) run() {
	defer close(k.done)
	for k.watch() && k.comeBack() {
	}
}

// watch waits until the connection is lost. It reports whether there is to be another.
func (k *keeper) watch() bool {
	k.renewal = renewal{}
	for k.ctx.Err() == nil {
		s := k.session
		if s.linkDone() {
			return !k.client.isClosed() && !k.client.endsWith(s.cause())
		}
		if _, away := s.away(); away && k.resumable(s) {
			return true
		}
		if k.sleeper.notice() && s.stream != nil {
			s.stream.Probe()
			k.renewal = renewal{due: time.Now(), anew: !k.client.cfg.NoReconnect,
				back: backoff{first: firstWait, most: mostWait}}
		}
		wait := checkClock
		if s.stream != nil && !s.linkEnding() {
			if wait = min(wait, k.renewIn(s)); wait <= 0 {
				k.renew()
				continue
			}
		}
		k.wait(wait, s.link.Done())
	}
	return false
}

// wait waits for d, or less if something may have happened.
func (k *keeper) wait(d time.Duration, over <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.bell:
	case <-over:
	case <-k.ctx.Done():
	}
}

func (k *keeper) renewIn(s *session) time.Duration {
	if !k.renewal.due.IsZero() {
		return time.Until(k.renewal.due)
	}
	return s.renewIn()
}

// renew makes a new connection while the present one works. If that fails the present one goes on, whatever the reason.
func (k *keeper) renew() {
	if k.reconnect(k.renewal.anew) == nil {
		k.renewal = renewal{}
		return
	}
	if k.renewal.due.IsZero() {
		k.renewal.back = backoff{first: firstRenewal, most: mostRenewal}
	}
	k.renewal.due = time.Now().Add(k.renewal.back.next())
}

// resumable reports whether the session can go on over another connection.
func (k *keeper) resumable(s *session) bool {
	switch {
	case s.stream == nil || s.unresumable || s.linkDone():
		return false
	case s.linkEnding():
		return k.client.isClosed() // what Close wants to be sent, is
	}
	return true
}

// comeBack makes connections until one works. It reports whether one did; if not, the client has ended or is to.
func (k *keeper) comeBack() bool {
	c := k.client
	c.here.set(false)
	wait, cause := k.waitAfterLoss(), k.session.cause()
	if k.session.linkEnding() {
		cause = sessionLost(cause)
	}
	for {
		if !k.pause(wait, cause) {
			return false
		}
		before := k.session
		err := k.reconnect(!c.cfg.NoReconnect && !c.isClosed())
		switch {
		case err == nil:
			k.refused = 0
			if k.session == before {
				k.online()
			}
			return true
		case k.ctx.Err() != nil:
			return false
		case finalForClient(err):
			c.conn.End(endWith(err))
			return false
		case errors.Is(err, channel.CodeNoSession):
			k.session.fail(&SessionLostError{Err: err}) // with NoReconnect that is the client's end
		}
		k.refused++
		if !errors.Is(err, syscall.ECONNREFUSED) {
			k.refused = 0
		}
		if k.refused >= len(k.dialer.addresses) {
			k.back.atLeast(downWait)
		}
		wait, cause = k.back.next(), err
	}
}

// waitAfterLoss is how long to wait after a loss before the first attempt: not at all if the
// network lost the connection.
func (k *keeper) waitAfterLoss() time.Duration {
	s := k.session
	broken := s.endedWhileConnected()
	lasted := !broken && time.Since(s.welcomed) >= brief
	if lasted || broken && time.Since(s.began) >= shortLived {
		k.back.reset()
	}
	if d := s.comeBackIn(); d > 0 || lasted {
		return d
	}
	return k.back.next()
}

// pause tells the client's state and waits for d, or until the computer wakes up. It reports
// whether there is to be an attempt.
func (k *keeper) pause(d time.Duration, cause error) bool {
	c, s := k.client, k.session
	late := lateness
	if c.cfg.NoReconnect {
		late = 0
	}
	until := time.Now().Add(d)
	told := Offline
	for k.ctx.Err() == nil {
		over := s.link.Done()
		if s.linkDone() {
			over = nil // that is known
		}
		resumable := k.resumable(s)
		if resumable && s.expire(late, cause) {
			continue
		}
		if !resumable && (c.isClosed() || c.endsWith(s.cause())) {
			return false
		}
		phase := Connecting
		if resumable {
			phase = Resuming
		}
		d = max(0, time.Until(until))
		if phase != told || d == 0 {
			told = phase
			c.states.set(func(now *State) {
				now.Phase, now.Err, now.Retry, now.RetryAt, now.Address = phase, cause, d, time.Time{},
					k.dialer.address()
				if d > 0 {
					now.RetryAt = until
				}
			})
		}
		if d == 0 {
			return true
		}
		if k.sleeper.notice() || k.hurry() {
			k.back.reset()
			until = time.Now()
			continue
		}
		k.wait(min(d, checkClock), over)
	}
	return false
}

// hurry reports, once, whether Close waits for a connection: it does not wait for long.
func (k *keeper) hurry() bool {
	if k.hurried || !k.client.isClosed() {
		return false
	}
	k.hurried = true
	return true
}
