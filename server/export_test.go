package server

import "time"

// Impatient lets a server that has no place left for a handshake make room at once, so that tests
// of that need not wait.
func (s *Server) Impatient() { s.patience.used = 1 << 60 }

// Renew lets a server cut connections that are older, or have carried more, and look for them that often.
func (s *Server) Renew(after time.Duration, bytes uint64, every time.Duration) {
	s.renew = renewal{after, bytes, every}
}

// GroupsLeft is how many groups the server knows of, which must be those that have members.
func (s *Server) GroupsLeft() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.groups)
}

// NamesInUse is how many names lead to sessions, and how many of them are of run time.
func (s *Server) NamesInUse() (all, run int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byName), len(s.runNames)
}

// PresenceHeld is how many entries the list of presence holds in all.
func (s *Server) PresenceHeld() int {
	s.presence.mu.Lock()
	defer s.presence.mu.Unlock()
	return len(s.presence.log) + len(s.presence.left) + len(s.presence.of)
}

// PresenceSlots is for how many sessions a viewer may have to keep whether it knows of them.
func (s *Server) PresenceSlots() int {
	s.presence.mu.Lock()
	defer s.presence.mu.Unlock()
	return int(s.presence.slots)
}

// Patience is how long a server with that many places waits at most.
func Patience(places int) time.Duration { return time.Duration(places) * patienceEach }
