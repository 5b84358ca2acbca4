package server

import (
	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
)

// openPipe connects a pipe that the session's client opens to its target. It is called by the link's reader. The relay passes on what it cannot read: the
// server has no key of what is inside.
func (s *Session) openPipe(stream *link.Stream, open wire.PipeOpen) {
	if err := s.connect(stream, open); err != nil {
		s.server.counters.pipesRefused.Add(1)
		e := policyError(err)
		stream.Reject(e.Code, e.Text)
	}
}

func (s *Session) connect(stream *link.Stream, open wire.PipeOpen) error {
	srv := s.server
	if open.Opener != s.peer.Name {
		return &channel.Error{Code: channel.CodeRefused, Text: "the opener's name is not yours"}
	}
	target, ok := srv.Session(open.Target)
	switch {
	case open.Target == s.peer.Name:
		return &channel.Error{Code: channel.CodeRefused, Text: "a pipe to oneself"}
	case !ok && srv.knows(open.Target):
		return channel.CodeNotConnected
	case !ok:
		return channel.CodeUnknownPeer
	}
	if srv.AllowPipe != nil {
		if err := srv.ask("AllowPipe", s.peer, func() error { return srv.AllowPipe(s.peer, target.peer) }); err != nil {
			return err
		}
	}
	if !s.addPipe() {
		return channel.CodeBusy
	}
	if !target.addPipe() {
		s.pipes.Add(-1)
		return channel.CodeBusy
	}
	srv.counters.pipes.Add(1)
	// Each side's place is free when the pipe has ended there: what the other does must not hold it.
	here := func() { s.pipes.Add(-1) }
	there := func() { target.pipes.Add(-1) }
	if err := link.Relay(stream, target.link, open, srv.limits.PipeWindow, here, there); err != nil {
		here()
		there()
		return channel.CodeGone
	}
	return nil
}

// addPipe counts a pipe, if the session may have one more.
func (s *Session) addPipe() bool {
	if s.pipes.Add(1) > int64(s.server.limits.MaxPipes) {
		s.pipes.Add(-1)
		return false
	}
	return true
}
