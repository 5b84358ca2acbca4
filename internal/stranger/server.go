package stranger

import (
	"crypto/ecdh"
	"errors"
	"io"
	"sync"
	"time"
)

// A Server knows some clients and lets them talk to its handlers and, through
// pipes, to each other.
type Server struct {
	Key     *ecdh.PrivateKey  // the server's identity
	Clients map[string]string // name by raw public key
	Link    LinkConfig        // for every session; OnPipe is the server's own
	// Grace is how long a session outlives its connection, in whole seconds; 0:
	// the feature resume is not there.
	Grace time.Duration

	pipeMu   sync.Mutex // held while two links are locked
	mu       sync.Mutex
	sessions map[string]*session
	byID     map[[16]byte]*session // those with a splice, and those that ended not long ago
}

// Serve shakes hands on conn and returns the session's link, or why there is
// none; then conn is closed. If conn goes on with a session, that has the link
// which it had.
func (s *Server) Serve(conn io.ReadWriteCloser) (*Link, error) {
	var hello *Hello
	var ses, old *session
	var welcome *Welcome
	sec, err := respond(conn, handshakeKeys{static: s.Key}, nil, func(peer, content []byte, of hashes) []byte {
		var bad *Error
		if hello, bad = decodeHello(content); bad == nil && hello.Token != nil {
			ses, welcome, bad = s.takeUp(peer, hello, of)
		}
		if bad == nil && ses == nil {
			ses, old, bad = s.admit(peer, hello)
		}
		if bad != nil {
			return refusal(bad)
		}
		if welcome == nil {
			welcome = s.welcome(ses)
		}
		return append([]byte{0}, welcome.encode()...)
	})
	if old != nil {
		if <-old.ready; old.Link != nil {
			old.Close(codeReplaced, "replaced")
		}
	}
	if err != nil {
		if ses != nil && !welcome.Resumed {
			s.drop(ses)
		}
		var said *Error
		if errors.As(err, &said) {
			// The peer may still be sending; closing at once could take the
			// refusal away from it.
			timer := time.AfterFunc(5*time.Second, func() { conn.Close() })
			_, _ = io.Copy(io.Discard, conn)
			timer.Stop()
		}
		conn.Close()
		return nil, err
	}
	if welcome.Resumed {
		ses.goOn(sec, hello.Token, welcome)
		return ses.Link, nil
	}
	return s.begin(sec, ses, hello.MaxMessage), nil
}

// admit finds the name of a key and makes its session.
func (s *Server) admit(key []byte, hello *Hello) (ses, old *session, no *Error) {
	name, listed := s.Clients[string(key)]
	switch {
	case !listed:
		return nil, nil, &Error{Code: codeUnknownKey, Text: "unknown key"}
	case hello.Wanted != "" && hello.Wanted != name:
		return nil, nil, &Error{Code: codeNameTaken, Text: "that is not your name"}
	}
	ses = s.fresh(name, key, hello)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions == nil {
		s.sessions, s.byID = map[string]*session{}, map[[16]byte]*session{}
	}
	if ses.splice != nil {
		s.byID[ses.splice.id] = ses
	}
	if hello.Transient {
		return ses, nil, nil
	}
	old = s.sessions[name]
	s.sessions[name] = ses
	return ses, old, nil
}

func (s *Server) begin(sec *secureConn, ses *session, peerMax uint32) *Link {
	cfg := s.Link
	cfg.OnPipe = func(st *Stream) {
		<-ses.ready
		s.connect(ses, st)
	}
	cfg.onEnd = func() {
		<-ses.ready
		s.end(ses)
	}
	cfg.History = ses.history
	ses.Link = newLink(ses.carrier(sec, cfg.Records), false, peerMax, ses.record(), cfg)
	close(ses.ready)
	return ses.Link
}

func (s *Server) forget(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[ses.name] == ses {
		delete(s.sessions, ses.name)
	}
	s.bury(ses)
}

// end forgets a session and tells the other ends of its pipes.
func (s *Server) end(ses *session) {
	s.forget(ses)
	ses.mu.Lock()
	var others []*Stream
	for _, st := range ses.streams {
		if st.relay != nil {
			others = append(others, st.relay)
		}
	}
	ses.mu.Unlock()
	for _, st := range others {
		st.link.mu.Lock()
		st.relay = nil
		st.giveUp(codeGone)
		st.link.mu.Unlock()
	}
}

// connect is the server's part of section 12. It runs in the reader of the
// opener's session, so that the next frame of the stream finds it connected.
func (s *Server) connect(from *session, st *Stream) {
	if st.Pipe.Opener != from.name {
		st.Reset(codeRefused)
		return
	}
	s.mu.Lock()
	to := s.sessions[st.Pipe.Target]
	known := false
	for _, name := range s.Clients {
		known = known || name == st.Pipe.Target
	}
	s.mu.Unlock()
	if to != nil {
		if <-to.ready; to.Link == nil {
			to = nil
		}
	}
	switch {
	case !known:
		st.Reset(codeUnknownPeer)
		return
	case to == nil:
		st.Reset(codeNotConnected)
		return
	case to == from:
		st.Reset(codeRefused)
		return
	}
	s.pipeMu.Lock()
	defer s.pipeMu.Unlock()
	st.link.mu.Lock()
	defer st.link.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	half, err := to.open(&frame{kind: frameOpen, flags: flagPipe, pipe: st.Pipe})
	if err != nil {
		st.giveUp(codeGone)
		return
	}
	st.relay, half.relay = half, st
}
