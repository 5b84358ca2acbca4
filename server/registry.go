package server

import (
	"iter"
	"slices"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// join makes room for a session that is about to be welcomed, and takes it off the handshakes, so that a newer one cannot push it out.
func (s *Server) join(sess *Session, h *handshake) error {
	key := sess.peer.Key
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sess.isTransient {
		s.cutLingering(key)
	}
	switch {
	case h.gone:
		return &channel.Error{Code: channel.CodeLimit} // which it will not hear
	case s.draining:
		return &channel.Error{Code: channel.CodeShutdown}
	case len(s.open)+s.joining >= s.limits.MaxSessions:
		return &channel.Error{Code: channel.CodeLimit, Text: "the server is full"}
	case sess.isTransient && s.transient[key] >= s.limits.MaxTransient:
		return &channel.Error{Code: channel.CodeLimit, Text: "too many transient sessions of this key"}
	case !sess.isTransient && len(s.lasting[key]) >= s.limits.MaxTransient+2:
		return &channel.Error{Code: channel.CodeLimit, Text: "handlers of this key's earlier sessions still run"}
	case !s.admission.admits(key, sess.peer.Name):
		return &channel.Error{Code: channel.CodeRevoked} // the list was reloaded meanwhile
	}
	if there := s.byName[sess.peer.Name]; there != nil && there.peer.Key != key {
		return &channel.Error{Code: channel.CodeNameTaken}
	}
	s.handshakes.remove(h)
	s.joining++
	if sess.isTransient {
		s.transient[key]++
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

// enterSession makes a session one that can be found, and ends an older one of the same key. If it may not enter any more the code says why,
// and it is only counted.
func (s *Server) enterSession(sess *Session) channel.Code {
	key := sess.peer.Key
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joining--
	s.open[sess] = struct{}{}
	s.connected++
	if !sess.isTransient {
		s.cutLingering(key)
		s.lasting[key] = append(s.lasting[key], sess)
	}
	switch {
	case s.draining:
		s.counters.refused.Add(1)
		return channel.CodeShutdown
	case !s.admission.admits(key, sess.peer.Name):
		s.counters.refused.Add(1)
		return channel.CodeRevoked
	}
	s.sessions[sess] = struct{}{}
	s.counters.sessions.Add(1)
	if sess.isTransient {
		return 0
	}
	if older := s.byName[sess.peer.Name]; older != nil {
		s.end(older, channel.CodeReplaced, "")
	}
	s.byName[sess.peer.Name] = sess
	return 0
}

// cutLingering cuts the sessions of a key that were replaced or closed and have not ended, save for the newest: a client that connects again and
// again keeps no more than one of those, and the one that it has. Call it with mu held.
func (s *Server) cutLingering(key keys.PublicKey) {
	all := s.lasting[key]
	for i, sess := range all {
		if i < len(all)-1 {
			s.cut(sess)
		}
	}
}

// leave forgets a session that has begun to end.
func (s *Server) leave(sess *Session) {
	if s.forget(sess) {
		// A long session counts as a visit when it ends, too, unless the name was released meanwhile.
		if key, ok := s.names.Lookup(sess.peer.Name, sess.since); ok && key == sess.peer.Key {
			_ = s.names.Claim(sess.peer.Name, key, time.Now()) // it has the name already
		}
	}
}

// forget makes a session one that cannot be found any more. It reports whether its name is one of the book's.
func (s *Server) forget(sess *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.sessions[sess]; !ok {
		return false
	}
	delete(s.sessions, sess)
	if s.byName[sess.peer.Name] == sess {
		delete(s.byName, sess.peer.Name)
	}
	_, listed := s.admission.byKey[sess.peer.Key]
	return !listed
}

// disconnected notes that a session's connection has ended. Its handlers may still run.
func (s *Server) disconnected(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected--
	s.notify()
}

// ended counts a session out that holds nothing any more.
func (s *Server) ended(sess *Session) {
	key := sess.peer.Key
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sess)
	s.releaseTransient(sess)
	if !sess.isTransient {
		rest := slices.DeleteFunc(s.lasting[key], func(other *Session) bool { return other == sess })
		if s.lasting[key] = rest; len(rest) == 0 {
			delete(s.lasting, key)
		}
	}
	s.notify()
}

// notify wakes those who wait for sessions and handshakes to end. Call it with mu held.
func (s *Server) notify() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// end ends a session and its pipes at once. It does not wait. Call it with mu held.
func (s *Server) end(sess *Session, code channel.Code, text string) {
	if !s.cutting { // else it is being cut
		s.ending.Go(func() { sess.link.Kick(code, text) })
	}
}

// cut ends a session without a word, and its handlers' ctx. It does not wait. Call it with mu held.
func (s *Server) cut(sess *Session) {
	if !sess.cut {
		sess.cut = true
		s.ending.Go(func() { sess.link.Cut(channel.ErrClosed) })
	}
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
