package client

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"
)

// Phase says whether a client has a connection.
type Phase uint8

// The phases of a client. It is Online when Dial returns.
const (
	// Connecting is a client without a session, that tries to get a new one: the server closed the
	// last, did not keep it, or could not be reached for so long that it cannot have kept it.
	Connecting Phase = iota
	// Online is a client that is connected.
	Online
	// Resuming is a client that has lost its connection, and tries to go on with its session over another.
	Resuming
	// Offline is a client that has ended, for good. It is not what ErrOffline is about, which calls
	// return while a client is Resuming or Connecting.
	Offline
)

// String gives the phase's name, in lower case.
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Online:
		return "online"
	case Resuming:
		return "resuming"
	case Offline:
		return "offline"
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

// State is how a client is doing.
type State struct {
	// Phase says whether there is a connection, and if not, what is done about it.
	Phase Phase

	// Session is the number of the session, 1 for the first. A higher one is a new session:
	// requests and streams of the one before have ended, and of messages that were under way
	// Config.Delivery says what becomes.
	Session int

	// Since is when the phase began.
	Since time.Time

	// Address is where the client is connected, or tries to connect.
	Address string

	// Err is why the client is not online: what ended the connection, then what went wrong with the
	// last attempt. Of a client that is Offline it is the cause of its Context's end. Text in it
	// that came from outside is quoted.
	Err error

	// Retry is how long the client waits before its next attempt, from the moment on when it began
	// to wait; 0 while it makes one.
	Retry time.Duration

	// RetryAt is when that attempt is made, unless something calls for it earlier; zero while it
	// is. How long that still is time.Until says.
	RetryAt time.Time
}

// states keeps the latest state, for any number of readers.
type states struct {
	mu      sync.Mutex
	now     State
	changed chan struct{} // closed and replaced with each change; nil while nobody waits
}

// set changes the state, unless it was the last, and notes when its phase began.
func (s *states) set(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.Phase == Offline {
		return // the end is the end
	}
	before := s.now
	change(&s.now)
	if s.now.Phase != before.Phase || s.now.Session != before.Session || s.now.Since.IsZero() {
		s.now.Since = time.Now()
	}
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

func (s *states) get() (State, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.now, s.changed
}

// State tells how the client is doing.
func (c *Client) State() State {
	now, _ := c.state()
	return now
}

func (c *Client) state() (State, <-chan struct{}) {
	if ctx := c.conn.Context(); ctx.Err() != nil {
		c.states.set(func(s *State) {
			s.Phase, s.Err, s.Retry, s.RetryAt = Offline, context.Cause(ctx), 0, time.Time{}
		})
	}
	return c.states.get()
}

// States tells how the client is doing: first as it is, then after each change, until ctx ends or
// the client. A reader that is slow does not see every change, but always the latest: a client that
// was Resuming for a moment may be Online in two states one after the other, of which the second
// has a later Since, and Session tells that there were new sessions. A reader never keeps the
// client from going on. The last state of a client that has ended is Offline.
func (c *Client) States(ctx context.Context) iter.Seq[State] {
	return func(yield func(State) bool) {
		for {
			now, changed := c.state()
			if !yield(now) || now.Phase == Offline {
				return
			}
			select {
			case <-changed:
			case <-c.conn.Context().Done():
			case <-ctx.Done():
				return
			}
		}
	}
}
