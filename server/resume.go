package server

import (
	"context"
	"errors"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// errAnew says that there is no such session, and that the client wants a new one then.
var errAnew = errors.New("server: no such session, and a new one will do")

// resume lets the session of a hello's token go on over the new connection, or refuses it
// (docs/protocol.md, section 17.2). It reports false if the client is to get a new session instead.
func (s *Server) resume(h *handshake, pending *secure.Pending, hello *wire.Hello) bool {
	sess, handover, err := s.takeUp(h, pending, hello.Resume)
	switch {
	case errors.Is(err, errAnew):
		return false
	case err != nil:
		s.counters.resumesRefused.Add(1)
		if sess != nil {
			sess.refused.Add(1)
		}
		s.refuse(h.ctx, pending, err)
	default:
		s.goOn(h.ctx, pending, hello, sess, handover)
	}
	return true
}

// goOn welcomes the client of a session that was taken up, and lets the session go on over the new
// connection, if nothing has overtaken it.
func (s *Server) goOn(ctx context.Context, pending *secure.Pending, hello *wire.Hello, sess *Session,
	handover *resume.Handover) {
	defer s.handedOver(sess, handover)
	token := hello.Resume
	w := s.welcome(sess)
	w.Record = [wire.IDSize]byte{} // the link goes on, and nothing that is kept beside it is of interest
	w.Resumed, w.Position = true, handover.Position()
	w.Proof = sess.secret.ServerProof([resume.HashSize]byte(pending.HandshakeHash()), sess.id, token.Attempt,
		w.Position)
	welcome, err := w.Append(nil)
	if err != nil {
		pending.Close()
		return
	}
	_, err = pending.WelcomeWith(ctx, welcome, func(c *secure.Conn) {
		// What the session writes from Attach on waits for the verdict.
		if handover.Attach(c, token.Position) != nil {
			// A newer resume took over, or the session has ended: then this one is as if it had been lost on the way.
			c.CloseNow()
		}
	})
	if err == nil {
		s.counters.resumed.Add(1)
		sess.resumed.Add(1)
	}
}

// takeUp finds the session of a token and begins its handover, if the client may go on with it. The
// error is an *channel.Error or errAnew; with one the session is as it was. What the client learns
// from a refusal is in docs/protocol.md, section 17.2, and no more: whether an id is unknown or
// somebody else's is not told apart.
func (s *Server) takeUp(h *handshake, pending *secure.Pending, token *wire.Token) (*Session, *resume.Handover, error) {
	key, hash := pending.PeerKey(), [resume.HashSize]byte(pending.HelloHash())
	s.mu.Lock()
	defer s.mu.Unlock()
	sess, err := s.claimed(h, key, hash, token)
	if err != nil {
		return sess, nil, err
	}
	s.handshakes.remove(h)
	sess.attempt = token.Attempt
	sess.handovers++
	s.notAway(sess) // grace does not end meanwhile: handedOver looks after that
	return sess, sess.conn.Handover(), nil
}

// claimed is the session that a token is good for, in the handshake that has the hash before the
// hello. With an error it is the one of the token's id, if that is there. Call it with mu held.
func (s *Server) claimed(h *handshake, key keys.PublicKey, hash [resume.HashSize]byte,
	token *wire.Token) (*Session, error) {
	noSession := &channel.Error{Code: channel.CodeNoSession}
	switch {
	case h.gone:
		return nil, &channel.Error{Code: channel.CodeLimit} // which it will not hear
	case s.draining:
		return nil, &channel.Error{Code: channel.CodeShutdown}
	}
	sess, holds := s.byID[token.Session], error(nil)
	if sess != nil {
		if holds = sess.conn.Holds(token.Position); holds != nil && !errors.Is(holds, resume.ErrPosition) {
			s.forbidResume(sess, sess.farewell) // it has ended just now
			sess = nil
		}
	}
	if sess == nil {
		why, owner, known := s.endReasons.get(token.Session, time.Now())
		switch {
		case known && owner == key:
			return nil, &why
		case !known && token.Anew:
			return nil, errAnew
		}
		return nil, noSession
	}
	switch {
	case sess.key != key,
		!resume.Equal(token.Proof, sess.secret.ClientProof(hash, token.Session, token.Attempt, token.Position)),
		token.Attempt <= sess.attempt:
		return sess, noSession
	case holds != nil:
		return sess, &channel.Error{Code: channel.CodeProtocol, Text: "the position is not one of the session's"}
	case !s.admission.admits(key, sess.own):
		return sess, &channel.Error{Code: channel.CodeRevoked}
	}
	return sess, nil
}

// handedOver ends what takeUp began, whatever came of it.
func (s *Server) handedOver(sess *Session, handover *resume.Handover) {
	handover.Abort() // if it was not attached
	s.mu.Lock()
	defer s.mu.Unlock()
	sess.handovers--
	s.watch(sess) // for what nobody watched meanwhile
}
