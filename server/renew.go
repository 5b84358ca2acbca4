package server

import (
	"time"
)

// A connection gets fresh keys by being left for another one, under the same session. That is the
// client's to begin, after 24 hours or 64 GiB (docs/protocol.md, section 17.4); one that is well
// beyond is cut here, and the client resumes.

// renewal says when a connection is too old. Zero fields have defaults; they are for tests.
type renewal struct {
	after time.Duration // 0 for 25 h
	bytes uint64        // both directions; 0 for 66 GiB
	every time.Duration // how often to look; 0 for a minute
}

func (r renewal) withDefaults() renewal {
	if r.after == 0 {
		r.after = 25 * time.Hour
	}
	if r.bytes == 0 {
		r.bytes = 66 << 30
	}
	if r.every == 0 {
		r.every = time.Minute
	}
	return r
}

// renewLater has renewAll called if it is not. Call it with mu held.
func (s *Server) renewLater() {
	if s.renewals == nil {
		s.renewals = time.AfterFunc(s.renew.every, s.renewAll)
	}
}

// renewAll cuts the connections that are too old or have carried too much, as long as there are
// sessions that can be resumed.
func (s *Server) renewAll() {
	s.mu.Lock()
	resumable := make([]*Session, 0, len(s.byID))
	for _, sess := range s.byID {
		resumable = append(resumable, sess)
	}
	if len(resumable) == 0 || s.draining {
		s.renewals = nil // the next session begins again
		s.mu.Unlock()
		return
	}
	s.renewals.Reset(s.renew.every)
	s.mu.Unlock()
	for _, sess := range resumable {
		sess.conn.DropOld(s.renew.after, s.renew.bytes)
	}
}
