package server

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// admit decides whether a key may enter, and under which name; claims says that the name is one of
// the book, and to be claimed there.
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
		return nil, false, errNoGroups
	}
	if err := s.ask("AllowGroups", *peer, func() error { return s.AllowGroups(*peer, hello.Groups) }); err != nil {
		return nil, false, policyError(err)
	}
	return peer, claims, nil
}

var errNoGroups = &channel.Error{Code: channel.CodeRefused, Text: "this server has no groups to join"}

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
