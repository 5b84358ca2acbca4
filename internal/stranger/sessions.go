package stranger

import (
	"crypto/rand"
	"errors"
	"io"
	"time"
)

// A session is known as soon as its client is let in, so that whoever has been
// welcomed can be addressed. Its link is there when ready is closed, or there
// is none.
type session struct {
	*Link
	name    string
	ready   chan struct{}
	splice  *splice // nil without the feature resume
	history *History
	gone    time.Time // when it ended
}

// fresh makes the session of a hello that was let in.
func (s *Server) fresh(name string, peer []byte, hello *Hello) *session {
	ses := &session{name: name, ready: make(chan struct{})}
	ses.history = s.Link.Library.find(peer, hello.Instance)
	if s.Grace > 0 && hello.Features&featureResume != 0 {
		var id [16]byte
		_, _ = rand.Read(id[:])
		ses.splice = newSplice(true, id, s.Grace, s.Link.Records)
	}
	return ses
}

// record is what the session's welcome says of its history.
func (ses *session) record() [16]byte {
	if ses.history == nil {
		return none
	}
	return ses.history.Record()
}

// welcome is that of a session that begins.
func (s *Server) welcome(ses *session) *Welcome {
	w := &Welcome{MaxMessage: s.Link.MaxMessage, Bound: ses.name, Record: ses.record()}
	if ses.splice != nil {
		w.Features, w.Session, w.Grace = featureResume, ses.splice.id, uint32(s.Grace/time.Second)
	}
	return w
}

// takeUp finds the session of a token and its welcome. If there is neither nor
// a refusal, there is no such session and the client wants another.
func (s *Server) takeUp(peer []byte, hello *Hello, of hashes) (*session, *Welcome, *Error) {
	t := hello.Token
	s.mu.Lock()
	ses := s.byID[t.Session]
	s.mu.Unlock()
	unknown := &Error{Code: codeNoSession, Text: "no such session"}
	if t.Anew {
		unknown = nil
	}
	if ses == nil {
		return nil, nil, unknown
	}
	if <-ses.ready; ses.Link == nil {
		return nil, nil, unknown
	}
	position, ours, no := ses.splice.takeUp(peer, t, of)
	if no == nil {
		w := s.welcome(ses)
		w.Record = none
		w.Resumed, w.Position, w.Proof = true, position, ours
		return ses, w, nil
	}
	if !ses.splice.over() || !ses.splice.proven(peer, t, of) {
		return nil, nil, no
	}
	<-ses.Done()
	if code := ses.final(); code != 0 {
		return nil, nil, &Error{Code: code, Text: "the session has ended"}
	}
	return nil, nil, unknown
}

// final is the code with which this end closed the session, if the client must
// not come back after it.
func (ses *session) final() int {
	var why *Error
	if errors.As(ses.Err(), &why) && !why.Remote {
		switch {
		case why.Code == codeReplaced, why.Code == codeKicked, why.Code == codeRevoked, why.Code >= 256:
			return why.Code
		}
	}
	return 0
}

// bury keeps what a token of an ended session will be answered with, and forgets
// those that ended long ago. It is in the server's lock.
func (s *Server) bury(ses *session) {
	if ses.splice == nil {
		return
	}
	ses.gone = time.Now()
	for id, old := range s.byID {
		if !old.gone.IsZero() && time.Since(old.gone) > s.Grace {
			delete(s.byID, id)
		}
	}
}

// carrier is what a session's link is put on.
func (ses *session) carrier(sec *secureConn, records int) carrier {
	if ses.splice == nil {
		return sec.limited(records)
	}
	ses.splice.begin(sec)
	return ses.splice
}

// goOn gives a session that was taken up its new connection.
func (ses *session) goOn(sec *secureConn, t *Token, w *Welcome) {
	ses.splice.attach(sec, t.Attempt, t.Position, w.Position)
}

// drop is for a connection whose handshake failed after the session was made.
func (s *Server) drop(ses *session) {
	s.forget(ses)
	if ses.splice != nil {
		ses.splice.finish(io.ErrClosedPipe)
	}
	close(ses.ready)
}

// Retry tells all clients that the server goes down and when to come back.
func (s *Server) Retry(milliseconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ses := range s.byID {
		ses.splice.sayRetry(milliseconds)
	}
}

func (s *splice) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}
