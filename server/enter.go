package server

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/secure"
)

// enter runs the handshake and makes a session of the connection, lets an earlier session go on over it, or refuses it.
func (s *Server) enter(h *handshake) {
	pending, err := secure.Accept(h.ctx, h.conn, &secure.Config{Key: s.Keys.Private, Timeout: s.HandshakeTimeout,
		Gate: s.gate})
	if err != nil {
		// Whoever it was has proven nothing, and is told nothing. Operators see it in the counters.
		s.counters.failed.Add(1)
		return
	}
	hello, err := wire.ParseHello(pending.Hello())
	if err != nil {
		code := channel.CodeProtocol
		var e *wire.Error
		if errors.As(err, &e) {
			code = channel.Code(e.Code)
		}
		s.refuse(h.ctx, pending, &channel.Error{Code: code, Text: "malformed hello"})
		return
	}
	if hello.Resume != nil && s.resume(h, pending, &hello) {
		return
	}
	s.begin(h, pending, &hello)
}

// begin makes a new session.
func (s *Server) begin(h *handshake, pending *secure.Pending, hello *wire.Hello) {
	peer, claims, err := s.admit(pending.PeerKey(), hello)
	if err != nil {
		s.refuse(h.ctx, pending, err)
		return
	}
	if claims {
		// Known before anybody has to make room for one who is not let in.
		if err := s.names.claimable(peer.Name, peer.Key, time.Now()); err != nil {
			s.refuse(h.ctx, pending, err)
			return
		}
	}
	peer.Addr = h.conn.RemoteAddr()
	sess := s.newSession(peer, hello)
	// The session is entered before the client hears that it is in: whoever learns from that client
	// that it is here can reach it.
	if err := s.join(sess, h); err != nil {
		s.refuse(h.ctx, pending, err)
		return
	}
	if claims {
		// Last of all, so that who is refused takes no name. Who goes away now keeps it: that
		// cannot be told from a visit.
		if err := s.names.Claim(peer.Name, peer.Key, time.Now()); err != nil {
			s.abandonJoin(sess)
			s.refuse(h.ctx, pending, err)
			return
		}
	}
	welcome, err := s.welcome(sess).Append(nil)
	if err != nil {
		s.abandonJoin(sess)
		s.refuse(h.ctx, pending, err)
		return
	}
	_, err = pending.WelcomeWith(h.ctx, welcome, func(c *secure.Conn) { sess.begin(c, hello.MaxMessage) })
	switch {
	case err != nil && sess.link == nil:
		s.abandonJoin(sess)
	case err != nil:
		// What was never welcomed is not come back to.
		s.mu.Lock()
		s.lose(sess, err)
		s.mu.Unlock()
	}
}

// newSession is one that nobody knows of yet.
func (s *Server) newSession(peer *channel.Peer, hello *wire.Hello) *Session {
	sess := &Session{server: s, key: peer.Key, own: peer.Name, fold: foldName(peer.Name), isTransient: hello.Transient,
		since:    time.Now(),
		instance: instanceOf{peer.Key, hello.Instance}, ran: make(chan struct{}), over: make(chan struct{})}
	sess.now.Store(peer)
	if s.grace > 0 && hello.Features&wire.FeatureResume != 0 {
		sess.resumable = true
		rand.Read(sess.id[:])
	}
	return sess
}

// welcome is what the client of a session is told.
func (s *Server) welcome(sess *Session) *wire.Welcome {
	w := &wire.Welcome{MaxMessage: s.maxMessage(), Name: sess.own, Record: sess.record}
	if sess.resumable {
		w.Features, w.Session = wire.FeatureResume, sess.id
		seconds := s.grace / time.Second
		if s.grace%time.Second > 0 {
			seconds++
		}
		w.Grace = uint32(min(seconds, math.MaxUint32))
	}
	return w
}

func (s *Server) maxMessage() uint32 { return uint32(s.limits.MaxMessage + wire.MessageOverhead) }

// refuse tells a client whose key is proven why it may not enter.
func (s *Server) refuse(ctx context.Context, pending *secure.Pending, err error) {
	s.counters.refused.Add(1)
	var e *channel.Error
	if !errors.As(err, &e) {
		s.logger().Error("pysock: admitting a client", "error", err)
		e = &channel.Error{Code: channel.CodeInternal}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = pending.Refuse(ctx, uint16(e.Code), clip(e.Text)) // it is gone either way
}
