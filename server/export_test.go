package server

import "time"

// Impatient lets a server that has no place left for a handshake make room at once, so that tests of that need not wait.
func (s *Server) Impatient() { s.patience.used = 1 << 60 }

// Renew lets a server cut connections that are older, or have carried more, and look for them that often.
func (s *Server) Renew(after time.Duration, bytes uint64, every time.Duration) {
	s.renew = renewal{after, bytes, every}
}

// Patience is how long a server with that many places waits at most.
func Patience(places int) time.Duration { return time.Duration(places) * patienceEach }
