package server

import (
	"fmt"
	"runtime/debug"

	"github.com/pysock/pysock/channel"
)

// A note is something that the application is to be told of a session, by one of the server's hooks.
type note struct {
	of   noteOf
	name string // the old one, or the group's
	on   bool   // it is away, or has joined
}

type noteOf uint8

const (
	ofAway noteOf = iota
	ofName
	ofGroup
)

// mostNotes is how many changes may wait for hooks before one more is refused. Beside these there
// may be as many of being away or back.
const mostNotes = 64

var errHooksBusy = &channel.Error{Code: channel.CodeBusy, Text: "the application has not heard of earlier changes yet"}

// note has the application told of a change that a session is about to undergo. It reports false if
// that has to be refused. Call it with mu held.
func (s *Server) note(sess *Session, n note) bool {
	if !s.mayNote(sess) {
		return false
	}
	s.addNote(sess, n)
	return true
}

// mayNote reports whether there is room for a note. Call it with mu held.
func (s *Server) mayNote(sess *Session) bool { return len(sess.notes) < mostNotes }

// addNote is note without a limit. Call it with mu held.
func (s *Server) addNote(sess *Session, n note) {
	if n.of == ofAway && s.OnAway == nil || n.of == ofName && s.OnRename == nil || n.of == ofGroup &&
		s.OnGroupChange == nil {
		return
	}
	if last := len(sess.notes) - 1; n.of == ofAway && last >= 0 && sess.notes[last].of == ofAway {
		sess.notes = sess.notes[:last] // away and back again before anybody was told
		return
	}
	sess.notes = append(sess.notes, n)
	if !sess.telling {
		sess.telling = true
		go s.tellAll(sess) // stops when nothing is left to tell; the session has ended only after that
	}
}

// tellAway has others told that a session is away, or back, if that is news. Call it with mu held.
func (s *Server) tellAway(sess *Session, away bool) {
	if _, present := s.sessions[sess]; !present || sess.awayTold == away {
		return
	}
	sess.awayTold = away
	s.presence.changed(sess)
	s.addNote(sess, note{of: ofAway, on: away})
}

// tellJoined tells of a session that has begun, and then lets its handlers be called.
func (s *Server) tellJoined(sess *Session) {
	run := func() {
		sess.link.Run()
		close(sess.ran)
	}
	if s.OnJoin == nil {
		run()
		return
	}
	go func() { // stops as tellAll's
		defer s.tellAll(sess) // also if the hook ends its goroutine
		defer run()
		s.hook("OnJoin", sess, func() { s.OnJoin(sess) })
	}()
}

// tellLeft waits until all else has been told of a session that has ended, and tells that.
func (s *Server) tellLeft(sess *Session) {
	s.mu.Lock()
	for sess.telling {
		idle := sess.hooksIdle.Wait()
		s.mu.Unlock()
		<-idle
		s.mu.Lock()
	}
	s.mu.Unlock()
	if s.OnLeave != nil {
		s.hook("OnLeave", sess, func() { s.OnLeave(sess, s.endOf(sess)) })
	}
}

// tellAll calls hooks until nothing is left to tell of a session.
func (s *Server) tellAll(sess *Session) {
	for {
		n, ok := s.nextNote(sess)
		if !ok {
			return
		}
		s.tell(sess, n)
	}
}

func (s *Server) nextNote(sess *Session) (n note, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(sess.notes) > 0 {
		n, sess.notes = sess.notes[0], sess.notes[1:]
		return n, true
	}
	sess.notes, sess.telling = nil, false
	sess.hooksIdle.Ring()
	return note{}, false
}

// tell calls the hook for one note. A hook that ends its goroutine, as t.FailNow does, has another go on.
func (s *Server) tell(sess *Session, n note) {
	returned := false
	defer func() {
		if !returned {
			go s.tellAll(sess) // stops as the one that it takes the place of
		}
	}()
	switch n.of {
	case ofAway:
		s.hook("OnAway", sess, func() { s.OnAway(sess, n.on) })
	case ofName:
		s.hook("OnRename", sess, func() { s.OnRename(sess, n.name) })
	case ofGroup:
		s.hook("OnGroupChange", sess, func() { s.OnGroupChange(sess, n.name, n.on) })
	}
	returned = true
}

// hook calls a hook of the application; a panic is logged.
func (s *Server) hook(name string, sess *Session, f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.logger().Error("pysock: a hook panicked", "hook", name, "peer", sess.now.Load().Name, "panic",
				fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	f()
}
