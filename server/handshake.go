package server

import (
	"container/list"
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// handshakes are the connections in their handshake, the oldest first.
type handshakes struct {
	list.List
}

// handshake begins the handshake of a connection, on a goroutine that ends with it: a session that is idle keeps only its small reader.
func (s *Server) handshake(conn net.Conn) {
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		conn.Close()
		return
	}
	var oldest net.Conn
	if s.handshakes.Len() >= s.limits.MaxHandshakes {
		e := s.handshakes.Front()
		oldest = e.Value.(net.Conn)
		s.handshakes.MoveToBack(e) // its goroutine takes it out
	}
	e := s.handshakes.PushBack(conn)
	s.mu.Unlock()
	if oldest != nil {
		s.counters.crowded.Add(1)
		oldest.Close()
	}
	go func() { // stops with the handshake, which has a timeout; Shutdown waits for it
		s.enter(conn)
		s.mu.Lock()
		s.handshakes.Remove(e)
		s.notify()
		s.mu.Unlock()
	}()
}

// notify wakes those who wait for sessions and handshakes to end. Call it with mu held.
func (s *Server) notify() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// enter runs the handshake and makes a session of the connection, or refuses it.
func (s *Server) enter(conn net.Conn) {
	pending, err := secure.Accept(s.ctx, conn, &secure.Config{Key: s.Keys.Private, Timeout: s.HandshakeTimeout, Gate: s.gate})
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
		s.refuse(pending, &channel.Error{Code: code, Text: "malformed hello"})
		return
	}
	peer, err := s.admit(pending.PeerKey(), &hello)
	if err != nil {
		s.refuse(pending, err)
		return
	}
	peer.Addr = conn.RemoteAddr()
	sess := &Session{server: s, peer: *peer, isTransient: hello.Transient, since: time.Now()}
	welcome, err := (&wire.Welcome{MaxMessage: s.maxMessage(), Name: peer.Name}).Append(nil)
	if err != nil {
		s.refuse(pending, err)
		return
	}
	// The session is entered before the client hears that it is in: whoever learns from that client that it is here can reach it.
	if err := s.join(sess); err != nil {
		s.refuse(pending, err)
		return
	}
	_, err = pending.WelcomeWith(s.ctx, welcome, func(c *secure.Conn) { sess.begin(c, hello.MaxMessage) })
	if err != nil {
		s.counters.failed.Add(1)
		if sess.link == nil {
			s.abandon(sess)
		} else {
			sess.link.Cut(err)
		}
	}
}

func (s *Server) maxMessage() uint32 { return uint32(s.limits.MaxMessage + wire.MessageOverhead) }

// refuse tells a client whose key is proven why it may not enter.
func (s *Server) refuse(pending *secure.Pending, err error) {
	s.counters.refused.Add(1)
	var e *channel.Error
	if !errors.As(err, &e) {
		s.logger().Error("pysock: admitting a client", "error", err)
		e = &channel.Error{Code: channel.CodeInternal}
	}
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	_ = pending.Refuse(ctx, uint16(e.Code), clip(e.Text)) // it is gone either way
}

// admit decides whether a key may enter, and under which name.
func (s *Server) admit(key keys.PublicKey, hello *wire.Hello) (*channel.Peer, error) {
	if hello.Name != "" {
		if err := keys.CheckClientName(hello.Name); err != nil {
			return nil, &channel.Error{Code: channel.CodeBadName, Text: clip(err.Error())}
		}
	}
	s.mu.Lock()
	a := s.admission
	s.mu.Unlock()
	name, err := a.name(key, hello.Name)
	if err != nil {
		return nil, err
	}
	if name == "" {
		if err := s.names.Claim(hello.Name, key, time.Now()); err != nil {
			return nil, err
		}
		name = hello.Name
	}
	peer := &channel.Peer{Name: name, Key: key, Groups: slices.Clone(hello.Groups)}
	if len(hello.Groups) == 0 {
		return peer, nil
	}
	for _, g := range hello.Groups {
		if err := keys.CheckName(g); err != nil {
			return nil, &channel.Error{Code: channel.CodeBadName, Text: clip(err.Error())}
		}
	}
	if s.AllowGroups == nil {
		return nil, &channel.Error{Code: channel.CodeRefused, Text: "this server has no groups to join"}
	}
	if err := s.AllowGroups(*peer, hello.Groups); err != nil {
		return nil, policyError(err)
	}
	return peer, nil
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
