package server

import (
	"container/list"
	"time"

	"github.com/pysock/pysock/channel"
)

// A session whose connection is lost is away: on a list, in the order of since when, with a timer
// that ends it. The session's resume.Conn knows whether it has a connection; what is here follows
// that, under the server's mu. So neither a report of a loss nor a timer that comes late, when the
// client is back, does harm: each asks first.

// lost is called when the session's connection is lost and there is no other.
func (s *Session) lost(error) {
	s.server.mu.Lock()
	s.server.watch(s)
	s.server.mu.Unlock()
	s.checkClock(&s.fromServer) // who is away is not waited for as long
	s.checkClock(&s.fromClients)
}

// isAway reports whether the session is without a connection now.
func (s *Session) isAway() bool {
	if s.conn == nil {
		return false
	}
	_, away := s.conn.Away()
	return away
}

// watch sees to a session that may be away. Call it with mu held.
func (s *Server) watch(sess *Session) {
	select {
	case <-sess.link.Done():
		return
	default:
	}
	since, away := sess.conn.Away()
	_, present := s.sessions[sess]
	switch {
	case !away:
		s.notAway(sess)
		s.tellAway(sess, false)
		return
	case sess.ending || s.draining:
		// Nobody is let in to go on with it.
		s.discard(sess, channel.CodeShutdown)
		return
	case !present || sess.handovers > 0 || sess.place != nil:
		return // it is closing, which takes a few seconds at most; or somebody else watches
	}
	sess.awaySince = since
	sess.place = s.putAway(sess)
	left := s.grace - time.Since(since)
	if sess.timer == nil {
		sess.timer = time.AfterFunc(left, func() { s.expire(sess) })
	} else {
		sess.timer.Reset(left)
	}
	s.tellAway(sess, true)
}

// putAway finds the place among those that are away: the longest first. Call it with mu held.
func (s *Server) putAway(sess *Session) *list.Element {
	for e := s.away.Back(); e != nil; e = e.Prev() {
		if !e.Value.(*Session).awaySince.After(sess.awaySince) {
			return s.away.InsertAfter(sess, e)
		}
	}
	return s.away.PushFront(sess)
}

// notAway takes a session off those that are away. Call it with mu held.
func (s *Server) notAway(sess *Session) {
	if sess.place != nil {
		s.away.Remove(sess.place)
		sess.place = nil
		sess.timer.Stop()
	}
}

// expire ends a session whose grace is over.
func (s *Server) expire(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sess.place == nil {
		return // its client is back, or it has ended
	}
	if left := s.grace - time.Since(sess.awaySince); left > 0 {
		sess.timer.Reset(left) // it was back, and is away again
		return
	}
	s.lose(sess, &channel.Error{Code: channel.CodeTimeout, Text: "the client was away for too long"})
}
