package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pysock/pysock/channel"
)

// A session goes through these states. Each begins under Server.mu, and what it frees is freed there;
// only pipes are not, which end with the link.
//
//	state         begins with           what becomes of it then
//	joining       join                  has a place among MaxSessions, its books, and nobody may take its name;
//	                                    unjoin and abandonJoin give that back if it is not welcomed
//	listed        enterSession          can be resumed (byID), and found: in Sessions, and unless it is
//	                                    transient by name, in groups and in presence (list); may be
//	                                    away and back (away.go)
//	ending        end, discard, lose    cannot be resumed (forbidResume), is not away; its link is being ended,
//	              (toEnding)            by a Kick that tells the client or a cutLink that does not
//	left          toLeft                cannot be found (unlist); its pipes have ended, its Context is done
//	disconnected  toDisconnected        its connection has ended, for which Close waits; its handlers may still run
//	over          toOver                nothing is left of it, also no handler and hook, for which Shutdown
//	                                    waits: its place is free, and its books are the next session's, or idle
//
// Ending is what the server does. A session that its client ends, or its application by
// CloseWithReason (noteClose), goes from listed to left. One that is replaced or too slow is unlisted
// when its end begins, so that nobody finds it in the moment before it has left. What is left and
// not over is Stats.Ending.

// end ends a session and its pipes at once, and lets nobody go on with it. A client that is there
// is told why; one that is not is told when it comes back, if it must not come back. It does not
// wait. Call it with mu held.
func (s *Server) end(sess *Session, code channel.Code, text string) {
	if sess.ending || s.cutting { // else it is being cut
		return
	}
	reason := &channel.Error{Code: code, Text: text}
	s.toEnding(sess, reason)
	if sess.isAway() {
		s.cutLink(sess, reason) // nobody is there to be told, and who comes back from now on is not let in
	} else {
		s.enders.Go(func() { sess.link.Kick(code, text) })
	}
}

// discard is end for a session that its own client has left behind: it is not told. Call it with mu held.
func (s *Server) discard(sess *Session, code channel.Code) {
	reason := &channel.Error{Code: code}
	s.toEnding(sess, reason)
	s.cutLink(sess, reason)
}

// lose ends a session that is lost, and not by a decision of this side. Call it with mu held.
func (s *Server) lose(sess *Session, why error) {
	s.toEnding(sess, nil)
	s.cutLink(sess, why)
}

// toEnding is what all ends that begin here have in common; reason is nil if it is not this side
// that decides on it. The reason of an end that has begun before stays; that of a close which still
// delivers what waits gives way. Call it with mu held.
func (s *Server) toEnding(sess *Session, reason *channel.Error) {
	if !sess.ending && sess.link.Context().Err() == nil {
		sess.reason = reason
	}
	sess.ending = true
	s.forbidResume(sess, reason)
	s.notAway(sess)
}

// toLeft makes a session that has begun to end one that cannot be found any more.
func (s *Server) toLeft(sess *Session) {
	s.mu.Lock()
	s.notAway(sess)
	_, found := s.sessions[sess]
	if found {
		delete(s.sessions, sess)
		s.unlist(sess)
	}
	_, named := s.admission.byKey[sess.key] // by the key file; else its name is one of the book's
	s.mu.Unlock()
	if found && !named {
		// A long session counts as a visit when it ends, too.
		s.names.visited(sess.own, sess.key, sess.since, time.Now())
	}
}

// toDisconnected notes that a session's link has ended, and so its connection. Its handlers may still run.
func (s *Server) toDisconnected(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forbidResume(sess, sess.farewell)
	s.notAway(sess)
	s.connected--
	s.ended.Ring()
}

// toOver counts a session out that holds nothing any more.
func (s *Server) toOver(sess *Session) {
	key := sess.key
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sess)
	if sess.yields {
		s.yielding--
	} else {
		s.releaseTransient(sess)
	}
	s.releaseBooks(sess)
	if !sess.isTransient {
		rest := slices.DeleteFunc(s.lasting[key], func(other *Session) bool { return other == sess })
		if s.lasting[key] = rest; len(rest) == 0 {
			delete(s.lasting, key)
		}
	}
	close(sess.over)
	s.ended.Ring()
}

// cutLink cuts a session without a word, and its handlers' ctx; why is for those who send to it
// here. It does not wait. Call it with mu held.
func (s *Server) cutLink(sess *Session, why error) {
	if !sess.cut {
		sess.cut = true
		s.enders.Go(func() { sess.link.Cut(why) })
	}
}

// noteClose notes why the application closes a session, for a client that does not hear it now.
func (s *Server) noteClose(sess *Session, code channel.Code, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sess.farewell == nil && sess.link.Context().Err() == nil {
		sess.farewell = &channel.Error{Code: code, Text: text}
		if !sess.ending {
			sess.reason = sess.farewell
		}
	}
}

// endOf is why a session has ended, for the application: what this side has decided, if it was this
// side. To its link a session is lost that was cut here.
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

// endReason is why a session has ended whose client is not let in again by its token.
type endReason = channel.Error

// endReasonMemory is the most that one takes, with what it takes to find it.
const endReasonMemory = 1 << 10

// holdupMemory is that for how long sessions of a key have held others up, in both of their queues.
const holdupMemory = 2 << 10

// forbidResume lets nobody go on with a session from now on. Who tries is told why, if that is a
// reason not to come back, for the grace time. Call it with mu held.
func (s *Server) forbidResume(sess *Session, why *channel.Error) {
	if s.byID[sess.id] != sess {
		return // that is done, or it never could be resumed
	}
	delete(s.byID, sess.id)
	if why == nil {
		return
	}
	switch code := why.Code; {
	case code == channel.CodeReplaced, code == channel.CodeKicked, code == channel.CodeRevoked,
		code >= channel.CodeApplication:
		s.endReasons.put(sess.id, sess.key, endReason{Code: code, Text: clip(why.Text)}, time.Now())
	}
}
