package main

import (
	"errors"
	"strings"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/server"
)

// logClients has the server's log tell of clients, a line each, with what came from them in quotes where it needs some.
func logClients(srv *server.Server) {
	tell := func(s *server.Session, what string, more ...any) {
		about := []any{"name", s.Peer().Name}
		if s.Transient() {
			about = append(about, "transient", true) // of one errand: send and request
		}
		srv.Logger.Info("pysock: client "+what, append(about, more...)...)
	}
	srv.OnJoin = func(s *server.Session) {
		p := s.Peer()
		more := []any{"fingerprint", p.Key.Fingerprint(), "from", p.Addr}
		if len(p.Groups) > 0 {
			more = append(more, "groups", strings.Join(p.Groups, " "))
		}
		tell(s, "joined", more...)
	}
	srv.OnLeave = func(s *server.Session, reason error) { tell(s, "left", "reason", leftReason(reason)) }
	srv.OnAway = func(s *server.Session, away bool) {
		if away {
			tell(s, "lost its connection")
		} else {
			tell(s, "is back")
		}
	}
	srv.OnRename = func(s *server.Session, old string) { tell(s, "renamed", "before", old) }
	srv.OnGroupChange = func(s *server.Session, group string, joined bool) {
		if joined {
			tell(s, "joined a group", "group", group)
		} else {
			tell(s, "left a group", "group", group)
		}
	}
}

// leftReason says in a few words why a session has ended.
func leftReason(err error) string {
	var closed *channel.CloseError
	var lost *channel.LostError
	var ours *channel.Error
	switch {
	case errors.As(err, &ours) && !errors.As(err, &lost):
		return ours.Error()
	case errors.Is(err, channel.ErrClosed):
		return "the server ended it"
	case errors.As(err, &lost):
		return lossReason(err)
	case errors.As(err, &closed) && closed.Code == channel.CodeClosed && closed.Text == "":
		return "the client ended it"
	case errors.As(err, &closed):
		return "the client ended it: " + closeReason(closed)
	}
	return lossReason(err)
}
