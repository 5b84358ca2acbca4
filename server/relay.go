package server

import (
	"sync"
	"sync/atomic"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// openPipe connects a pipe that the session's client opens to its target. It is called by the
// link's reader. The relay passes on what it cannot read: the server has no key of what is inside.
func (s *Session) openPipe(stream *link.Stream, open wire.PipeOpen) {
	if err := s.connect(stream, open); err != nil {
		s.server.counters.pipesRefused.Add(1)
		e := policyError(err)
		stream.Reject(e.Code, e.Text)
	}
}

func (s *Session) connect(stream *link.Stream, open wire.PipeOpen) error {
	srv := s.server
	from := s.now.Load()
	if open.Opener != s.own { // the target counts by it, and a name that was taken at run time costs nothing
		return &channel.Error{Code: channel.CodeRefused, Text: "the opener's name is not yours"}
	}
	target, ok := srv.Session(open.Target)
	switch {
	case open.Target == from.Name, open.Target == s.own:
		return &channel.Error{Code: channel.CodeRefused, Text: "a pipe to oneself"}
	case !ok:
		if _, known := srv.holder(open.Target); known {
			return channel.CodeNotConnected
		}
		return channel.CodeUnknownPeer
	}
	if srv.AllowPipe != nil {
		if err := srv.ask("AllowPipe", *from, func() error { return srv.AllowPipe(*from, target.Peer()) }); err != nil {
			return err
		}
	}
	return s.relay(stream, open, target)
}

// mostUnanswered is how many pipes of one client may wait for another to answer, those included that
// it has given up: the other may be away, and must hear of each. So who is let in by nobody takes
// up a few of a client's places and not all. A client of this module does not answer more than so
// many of one opener at once.
const mostUnanswered = 4

// relay connects the pipe, if both sides have a place for it.
func (s *Session) relay(stream *link.Stream, open wire.PipeOpen, target *Session) error {
	if !target.unanswered.add(s.key) {
		return &channel.Error{Code: channel.CodeBusy, Text: "it has not answered earlier pipes of yours"}
	}
	if !s.addPipe() {
		target.unanswered.remove(s.key)
		return channel.CodeBusy
	}
	if !target.addPipe() {
		target.unanswered.remove(s.key)
		s.pipes.Add(-1)
		return channel.CodeBusy
	}
	// Each side's place is free when the pipe has ended there: what the other does must not hold
	// it. But who gives up what was not answered keeps its place until that is done: else one could
	// take all of another's with one's own free again.
	var ours atomic.Int32
	oursIsOver := func() {
		if ours.Add(1) == 2 {
			s.pipes.Add(-1)
		}
	}
	answered := func() {
		target.unanswered.remove(s.key)
		oursIsOver()
	}
	there := func() { target.pipes.Add(-1) }
	on := link.RelayEvents{Here: oursIsOver, Answered: answered, There: there}
	if err := link.Relay(stream, target.link, open, s.server.limits.PipeWindow, on); err != nil {
		oursIsOver()
		answered()
		there()
		return channel.CodeGone
	}
	s.server.counters.pipes.Add(1)
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

// unanswered counts the pipes to a session that it has not answered, by the key of who opened them:
// a new session of the same client does not begin to count anew.
type unanswered struct {
	mu    sync.Mutex // below all others
	count map[keys.PublicKey]int
}

// add counts a pipe, if there may be one more.
func (u *unanswered) add(key keys.PublicKey) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count[key] >= mostUnanswered {
		return false
	}
	if u.count == nil {
		u.count = make(map[keys.PublicKey]int)
	}
	u.count[key]++
	return true
}

func (u *unanswered) remove(key keys.PublicKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count[key]--; u.count[key] > 0 {
		return
	}
	if delete(u.count, key); len(u.count) == 0 {
		u.count = nil
	}
}
