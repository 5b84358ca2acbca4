package server

import (
	"iter"
	"time"
)

// Session finds the session of a name, also if its client is away. Transient sessions are not found.
func (s *Server) Session(name string) (*Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess, ok := s.byName[name]
	return sess, ok
}

// Sessions goes over the sessions there are at the moment, those of clients that are away and transient ones included, in no particular order. Sessions may come and
// go meanwhile.
func (s *Server) Sessions() iter.Seq[*Session] {
	all := s.present()
	return func(yield func(*Session) bool) {
		for _, sess := range all {
			if !yield(sess) {
				return
			}
		}
	}
}

// present is Sessions as a list.
func (s *Server) present() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Session, 0, len(s.sessions))
	for sess := range s.sessions {
		all = append(all, sess)
	}
	return all
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
