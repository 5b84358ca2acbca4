package server

import (
	"iter"
	"time"

	"github.com/pysock/pysock/keys"
)

// Session finds the session of a name, that which it has now or that which its client came with,
// also if its client is away. Transient sessions are not found.
func (s *Server) Session(name string) (*Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess, ok := s.byName[name]
	return sess, ok
}

// Sessions goes over the sessions there are at the moment, those of clients that are away and
// transient ones included, in no particular order. Sessions may come and go meanwhile.
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

// holder is whose name it is, connected or not.
func (s *Server) holder(name string) (key keys.PublicKey, known bool) {
	s.mu.Lock()
	key, known = s.admission.byName[name]
	open := s.admission.open
	s.mu.Unlock()
	if known || !open {
		return key, known
	}
	return s.names.Lookup(name, time.Now())
}
