package client

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/secure"
)

// session is what the server has of the client since a welcome: one link, over one connection after
// another if the server can resume, else over one. It belongs to the keeper, but for what mu
// guards.
type session struct {
	number int // 1 for the first
	link   *link.Link
	lower  net.Conn     // what the link runs over
	stream *resume.Conn // nil if the server does not resume, else lower
	secret resume.Secret
	id     [wire.IDSize]byte

	// What the first welcome said, and each that resumes says again.
	maxMessage, features uint32

	tokens      uint64 // how many the client has sent, which numbers the last
	grace       time.Duration
	unresumable bool // it cannot be resumed any more
	began       time.Time

	// Of the present connection.
	welcomed   time.Time
	renewAfter time.Duration
	renewBytes uint64

	mu    sync.Mutex
	lost  error     // what ended the last connection; nil while there is one
	retry time.Time // when the server wants us back, zero if it has not said
}

// newSession makes the session of a welcome, and what its link is to run over. bell is rung when
// its connection is lost.
func newSession(conn *secure.Conn, w *wire.Welcome, cfg *Config, bell func()) (*session, net.Conn, error) {
	s := &session{id: w.Session, maxMessage: w.MaxMessage, features: w.Features, began: time.Now()}
	s.connected(w, cfg)
	if w.Features&wire.FeatureResume == 0 {
		s.lower = conn
		return s, conn, nil
	}
	var err error
	if s.secret, err = resume.NewSecret(conn); err != nil {
		return nil, nil, err
	}
	s.stream = resume.New(conn, &resume.Config{
		Buffer: cfg.ResumeBuffer, Idle: cfg.KeepAlive,
		Lost: func(err error) {
			s.mu.Lock()
			s.lost = err
			s.mu.Unlock()
			bell()
		},
		Retry: func(d time.Duration) {
			s.mu.Lock()
			s.retry = time.Now().Add(min(d, mostRetry))
			s.mu.Unlock()
		},
	})
	s.lower = s.stream
	return s, s.stream, nil
}

// connected notes that there is a new connection.
func (s *session) connected(w *wire.Welcome, cfg *Config) {
	s.mu.Lock()
	s.lost = nil
	s.mu.Unlock()
	s.grace = time.Duration(w.Grace) * time.Second
	s.welcomed = time.Now()
	less := 1 - rand.Float64()/5 // those that connected at once are not to renew at once
	s.renewAfter = time.Duration(float64(cfg.RenewAfter) * less)
	s.renewBytes = uint64(float64(cfg.RenewBytes) * less)
}

// token asks the server to go on with the session, in the handshake that has the hash before the token.
func (s *session) token(hash [resume.HashSize]byte, position uint64, anew bool) *wire.Token {
	s.tokens++
	return &wire.Token{
		Anew: anew, Session: s.id, Attempt: s.tokens, Position: position,
		Proof: s.secret.ClientProof(hash, s.id, s.tokens, position),
	}
}

// proven reports whether the welcome that resumed the session came from who has its secret, and over this connection.
func (s *session) proven(conn *secure.Conn, w *wire.Welcome) bool {
	return resume.Equal(w.Proof, s.secret.ServerProof([resume.HashSize]byte(conn.HandshakeHash()), s.id, s.tokens,
		w.Position))
}

// away reports whether the connection is lost, and since when. It reports false until Config.Lost
// of the stream has told why.
func (s *session) away() (since time.Time, away bool) {
	if s.stream == nil {
		return time.Time{}, false
	}
	since, away = s.stream.Away()
	s.mu.Lock()
	defer s.mu.Unlock()
	return since, away && s.lost != nil
}

// linkDone reports whether the link has ended, and there is nothing left to carry.
func (s *session) linkDone() bool {
	select {
	case <-s.link.Done():
		return true
	default:
		return false
	}
}

// linkEnding reports whether the link has ended, though it may still have to say so.
func (s *session) linkEnding() bool { return s.link.Context().Err() != nil }

// fail ends the session: it cannot be resumed.
func (s *session) fail(err error) {
	s.unresumable = true
	if s.stream != nil {
		s.stream.Fail(err)
	}
	<-s.link.Done()
}

// cause is why there is no connection.
func (s *session) cause() error {
	if s.linkEnding() {
		return context.Cause(s.link.Context())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// comeBackIn is how long the server asked us to wait, mostRetry at most, 0 if it did not ask.
func (s *session) comeBackIn() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retry.IsZero() {
		return 0
	}
	return max(0, time.Until(s.retry))
}

// renewIn is how long the connection may go on before another takes its place.
func (s *session) renewIn() time.Duration {
	if s.stream == nil {
		return checkClock
	}
	since, bytes := s.stream.Traffic()
	switch {
	case since.IsZero(): // it is lost
		return checkClock
	case bytes >= s.renewBytes:
		return 0
	}
	return max(0, time.Until(since.Add(s.renewAfter)))
}

// expire ends a session that the server cannot have any more. The server keeps a session for grace
// from when it noticed the loss, at most late after we did.
func (s *session) expire(late time.Duration, last error) bool {
	since, away := s.away()
	if !away || time.Since(since) < s.grace+late {
		return false
	}
	s.fail(&SessionLostError{Grace: s.grace, Err: last})
	return true
}

// endedWhileConnected reports whether the session ended while it had a connection, with CLOSE or because
// somebody broke the protocol.
func (s *session) endedWhileConnected() bool {
	return s.linkDone() && (s.stream != nil || closedByPeer(s.cause()) != nil)
}
