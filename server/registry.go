package server

import (
	"iter"
	"time"

	"github.com/pysock/pysock/channel"
)

// join makes room for a session that is about to be welcomed.
func (s *Server) join(sess *Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return &channel.Error{Code: channel.CodeShutdown}
	case len(s.open)+s.joining >= s.limits.MaxSessions:
		return &channel.Error{Code: channel.CodeLimit, Text: "the server is full"}
	case sess.isTransient && s.transient[sess.peer.Key] >= s.limits.MaxTransient:
		return &channel.Error{Code: channel.CodeLimit, Text: "too many transient sessions of this key"}
	case !s.admission.admits(sess.peer.Key, sess.peer.Name):
		return &channel.Error{Code: channel.CodeRevoked} // the list was reloaded meanwhile
	}
	if there := s.byName[sess.peer.Name]; there != nil && there.peer.Key != sess.peer.Key {
		return &channel.Error{Code: channel.CodeNameTaken}
	}
	s.joining++
	if sess.isTransient {
		s.transient[sess.peer.Key]++
	}
	return nil
}

// abandon gives the room of a session back that was not welcomed.
func (s *Server) abandon(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joining--
	s.releaseTransient(sess)
}

func (s *Server) releaseTransient(sess *Session) {
	if !sess.isTransient {
		return
	}
	if s.transient[sess.peer.Key]--; s.transient[sess.peer.Key] == 0 {
		delete(s.transient, sess.peer.Key)
	}
}

// enterSession makes a session one that can be found, and ends an older one of the same key.
func (s *Server) enterSession(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joining--
	s.open[sess] = struct{}{}
	s.sessions[sess] = struct{}{}
	s.counters.sessions.Add(1)
	if sess.isTransient {
		return
	}
	if older := s.byName[sess.peer.Name]; older != nil {
		s.end(older, channel.CodeReplaced, "")
	}
	s.byName[sess.peer.Name] = sess
}

// leave forgets a session that has ended.
func (s *Server) leave(sess *Session) {
	if s.forget(sess) {
		// A long session counts as a visit when it ends, too, unless the name was released meanwhile.
		if key, ok := s.names.Lookup(sess.peer.Name, sess.since); ok && key == sess.peer.Key {
			_ = s.names.Claim(sess.peer.Name, key, time.Now()) // it has the name already
		}
	}
}

// forget takes a session out of the registry. It reports whether its name is one of the book's.
func (s *Server) forget(sess *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.sessions[sess]; !ok {
		return false
	}
	delete(s.sessions, sess)
	s.releaseTransient(sess)
	if s.byName[sess.peer.Name] == sess {
		delete(s.byName, sess.peer.Name)
	}
	_, listed := s.admission.byKey[sess.peer.Key]
	return !listed
}

// ended counts a session out whose connection has ended.
func (s *Server) ended(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sess)
	s.notify()
}

// end ends a session and its pipes at once. It does not wait. Call it with mu held.
func (s *Server) end(sess *Session, code channel.Code, text string) {
	s.ending.Go(func() { sess.link.Kick(code, text) })
}

// Session finds the session of a name. Transient sessions are not found.
func (s *Server) Session(name string) (*Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess, ok := s.byName[name]
	return sess, ok
}

// Sessions goes over the sessions there are at the moment, transient ones included, in no particular order. Sessions may come and
// go meanwhile.
func (s *Server) Sessions() iter.Seq[*Session] {
	s.mu.Lock()
	all := make([]*Session, 0, len(s.sessions))
	for sess := range s.sessions {
		all = append(all, sess)
	}
	s.mu.Unlock()
	return func(yield func(*Session) bool) {
		for _, sess := range all {
			if !yield(sess) {
				return
			}
		}
	}
}

// knows reports whether a name is anybody's, connected or not.
func (s *Server) knows(name string) bool {
	s.mu.Lock()
	_, listed := s.admission.byName[name]
	open := s.admission.open
	s.mu.Unlock()
	if listed || !open {
		return listed
	}
	_, known := s.names.Lookup(name, time.Now())
	return known
}
