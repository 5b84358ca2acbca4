package server

import "time"

// Impatient lets a server that has no place left for a handshake make room at once, so that tests of that need not wait.
func (s *Server) Impatient() { s.patience.used = 1 << 60 }

// Patience is how long a server with that many places waits at most.
func Patience(places int) time.Duration { return time.Duration(places) * patienceEach }
