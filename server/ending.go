package server

import (
	"context"
	"errors"
	"time"

	"github.com/pysock/pysock/channel"
)

// end ends a session and its pipes at once, and lets nobody go on with it. A client that is there
// is told why; one that is not is told when it comes back, if it must not come back. It does not
// wait. Call it with mu held.
func (s *Server) end(sess *Session, code channel.Code, text string) {
	if sess.ending || s.cutting { // else it is being cut
		return
	}
	reason := &channel.Error{Code: code, Text: text}
	s.beginEnd(sess, reason)
	if sess.isAway() {
		s.cutFor(sess, reason) // nobody is there to be told, and who comes back from now on is not let in
	} else {
		s.ending.Go(func() { sess.link.Kick(code, text) })
	}
}

// discard is end for a session that its own client has left behind: it is not told. Call it with mu held.
func (s *Server) discard(sess *Session, code channel.Code) {
	reason := &channel.Error{Code: code}
	s.beginEnd(sess, reason)
	s.cutFor(sess, reason)
}

// lose ends a session that is lost, and not by a decision of this side. Call it with mu held.
func (s *Server) lose(sess *Session, why error) {
	s.beginEnd(sess, nil)
	s.cutFor(sess, why)
}

// beginEnd is what all ends that begin here have in common; reason is nil if it is not this side
// that decides on it. What was decided before stays. Call it with mu held.
func (s *Server) beginEnd(sess *Session, reason *channel.Error) {
	if !sess.ending && sess.link.Context().Err() == nil {
		sess.reason = reason
	}
	sess.ending = true
	s.bury(sess, reason)
	s.notAway(sess)
}

// cutFor cuts a session without a word, and its handlers' ctx; why is for those who send to it
// here. It does not wait. Call it with mu held.
func (s *Server) cutFor(sess *Session, why error) {
	if !sess.cut {
		sess.cut = true
		s.ending.Go(func() { sess.link.Cut(why) })
	}
}

// closing notes why the application closes a session, for a client that does not hear it now.
func (s *Server) closing(sess *Session, code channel.Code, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sess.farewell == nil && sess.link.Context().Err() == nil {
		sess.farewell = &channel.Error{Code: code, Text: text}
		if !sess.ending {
			sess.reason = sess.farewell
		}
	}
}

// endOf is why a session has ended, for the application: what this side has said, if it was this
// side. A session that is ended here without its client is lost, to its link.
func (s *Server) endOf(sess *Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := context.Cause(sess.Context())
	var lost *channel.LostError
	if sess.reason == nil || !errors.Is(err, channel.ErrClosed) && !(sess.ending && errors.As(err, &lost)) {
		return err
	}
	var gap *channel.GapError
	if errors.As(err, &gap) {
		told := *gap
		told.Err = sess.reason
		return &told
	}
	return sess.reason
}

// A grave is a session that has ended, and why its client is not let in again by its token.
type grave = channel.Error

// graveMemory is the most that one takes, with what it takes to find it.
const graveMemory = 1 << 10

// bury lets nobody go on with a session from now on. Who tries is told why, if that is a reason not
// to come back, for the grace time. Call it with mu held.
func (s *Server) bury(sess *Session, why *channel.Error) {
	if s.byID[sess.id] != sess {
		return // it is buried, or never could be resumed
	}
	delete(s.byID, sess.id)
	if why == nil {
		return
	}
	switch code := why.Code; {
	case code == channel.CodeReplaced, code == channel.CodeKicked, code == channel.CodeRevoked,
		code >= channel.CodeApplication:
		s.graves.put(sess.id, sess.key, grave{Code: code, Text: clip(why.Text)}, time.Now())
	}
}
