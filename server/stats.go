package server

import (
	"net"
	"sync/atomic"
	"time"
)

// counters count what happened since the server began.
type counters struct {
	sessions     atomic.Uint64
	failed       atomic.Uint64
	crowded      atomic.Uint64
	refused      atomic.Uint64
	pipes        atomic.Uint64
	pipesRefused atomic.Uint64

	slow atomic.Uint64

	resumed        atomic.Uint64
	resumesRefused atomic.Uint64
}

// Stats is what a server has to tell operators.
type Stats struct {
	Sessions   int // sessions there are now, those of clients that are away included
	Away       int // of these, those whose client has lost its connection and may yet come back
	Ending     int // sessions that have ended, but still say so or have handlers that run; they count as sessions for Limits
	Handshakes int // connections that are in their handshake now; up to twice Limits.MaxHandshakes while some are made to leave
	Pipes      int // pipes that are relayed now

	SessionsBegun     uint64 // clients that were let in since the server began
	HandshakesFailed  uint64 // connections that ended before a key was proven
	HandshakesCrowded uint64 // of these, those that made room for newer ones, or found none
	SessionsRefused   uint64 // clients that proved a key and were not let in
	Resumed           uint64 // times that a session went on over a new connection
	ResumesRefused    uint64 // times that a client was not let in because of its token; they count in SessionsRefused, too
	PipesBegun        uint64 // pipes that were connected
	PipesRefused      uint64 // pipes that were not
	TooSlow           uint64 // sessions that were ended because a message to many waited for them for Server.SlowTimeout
}

// Stats gives the server's counters.
func (s *Server) Stats() Stats {
	st := Stats{
		SessionsBegun:     s.counters.sessions.Load(),
		HandshakesFailed:  s.counters.failed.Load(),
		HandshakesCrowded: s.counters.crowded.Load(),
		SessionsRefused:   s.counters.refused.Load(),
		PipesBegun:        s.counters.pipes.Load(),
		PipesRefused:      s.counters.pipesRefused.Load(),
		TooSlow:           s.counters.slow.Load(),
		Resumed:           s.counters.resumed.Load(),
		ResumesRefused:    s.counters.resumesRefused.Load(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Sessions, st.Ending = len(s.sessions), len(s.open)-len(s.sessions)
	st.Away = s.away.Len()
	st.Handshakes = s.handshakes.pending()
	for sess := range s.sessions {
		st.Pipes += int(sess.pipes.Load())
	}
	st.Pipes /= 2 // each was counted at both ends
	return st
}

// SessionStats is what there is to tell of one session.
type SessionStats struct {
	Addr           net.Addr      // where the client came from first
	Since          time.Time     // when the client was let in
	Away           bool          // the client has lost its connection, and may yet come back
	RoundTrip      time.Duration // when it was last measured; see Session.RoundTrip
	Pipes          int           // open at the moment
	Queued         int           // bytes that wait to be written to the client, and for it what was sent to many; Limits.SendQueue bounds each
	Dropped        uint64        // messages that TryBroadcast and Group.TrySend left out for it
	BytesSent      uint64        // before encryption, relayed pipes included; what is sent again counts once
	BytesReceived  uint64        // before encryption, relayed pipes included; likewise
	Resumed        uint64        // times that the session went on over a new connection
	ResumesRefused uint64        // times that somebody came with its id and was not let in
}

// Stats gives the session's counters.
func (s *Session) Stats() SessionStats {
	st := SessionStats{Addr: s.now.Load().Addr, Since: s.since, Dropped: s.dropped.Load(), RoundTrip: s.RoundTrip(),
		Pipes: int(s.pipes.Load()), Queued: s.link.Queued() + s.fromServer.amount() + s.fromClients.amount(),
		Resumed: s.resumed.Load(), ResumesRefused: s.refused.Load()}
	_, st.Away = s.Away()
	st.BytesSent, st.BytesReceived = s.link.Bytes()
	return st
}
