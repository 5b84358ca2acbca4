package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// enter runs the handshake and makes a session of the connection, or refuses it.
func (s *Server) enter(h *handshake) {
	pending, err := secure.Accept(h.ctx, h.conn, &secure.Config{Key: s.Keys.Private, Timeout: s.HandshakeTimeout, Gate: s.gate})
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
	peer, claims, err := s.admit(pending.PeerKey(), &hello)
	if err != nil {
		s.refuse(h.ctx, pending, err)
		return
	}
	peer.Addr = h.conn.RemoteAddr()
	sess := &Session{server: s, peer: *peer, isTransient: hello.Transient, since: time.Now()}
	welcome, err := (&wire.Welcome{MaxMessage: s.maxMessage(), Name: peer.Name}).Append(nil)
	if err != nil {
		s.refuse(h.ctx, pending, err)
		return
	}
	// The session is entered before the client hears that it is in: whoever learns from that client that it is here can reach it.
	if err := s.join(sess, h); err != nil {
		s.refuse(h.ctx, pending, err)
		return
	}
	if claims {
		// Last of all, so that who is refused takes no name. Who goes away now keeps it: that cannot be told from a visit.
		if err := s.names.Claim(peer.Name, peer.Key, time.Now()); err != nil {
			s.abandon(sess)
			s.refuse(h.ctx, pending, err)
			return
		}
	}
	_, err = pending.WelcomeWith(h.ctx, welcome, func(c *secure.Conn) { sess.begin(c, hello.MaxMessage) })
	if err != nil {
		if sess.link == nil {
			s.abandon(sess)
		} else {
			sess.link.Cut(err)
		}
	}
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

// admit decides whether a key may enter, and under which name; claims says that the name is one of the book, and to be claimed there.
func (s *Server) admit(key keys.PublicKey, hello *wire.Hello) (peer *channel.Peer, claims bool, err error) {
	if hello.Name != "" {
		if err := keys.CheckClientName(hello.Name); err != nil {
			return nil, false, &channel.Error{Code: channel.CodeBadName, Text: clip(err.Error())}
		}
	}
	s.mu.Lock()
	a := s.admission
	s.mu.Unlock()
	name, err := a.name(key, hello.Name)
	if err != nil {
		return nil, false, err
	}
	if name == "" {
		name, claims = hello.Name, true
	}
	peer = &channel.Peer{Name: name, Key: key, Groups: slices.Clone(hello.Groups)}
	if len(hello.Groups) == 0 {
		return peer, claims, nil
	}
	for _, g := range hello.Groups {
		if err := keys.CheckName(g); err != nil {
			return nil, false, &channel.Error{Code: channel.CodeBadName, Text: clip(err.Error())}
		}
	}
	if s.AllowGroups == nil {
		return nil, false, &channel.Error{Code: channel.CodeRefused, Text: "this server has no groups to join"}
	}
	if err := s.ask("AllowGroups", *peer, func() error { return s.AllowGroups(*peer, hello.Groups) }); err != nil {
		return nil, false, policyError(err)
	}
	return peer, claims, nil
}

// ask calls a policy of the application. One that panics has not allowed anything.
func (s *Server) ask(policy string, peer channel.Peer, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.logger().Error("pysock: a policy panicked", "policy", policy, "peer", peer.Name,
				"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = &channel.Error{Code: channel.CodeInternal}
		}
	}()
	return f()
}

// policyError is what a client is told of a policy's refusal: what the application meant for it, and nothing else.
func policyError(err error) *channel.Error {
	var e *channel.Error
	if errors.As(err, &e) {
		return e
	}
	code := channel.CodeRefused
	errors.As(err, &code)
	return &channel.Error{Code: code}
}
