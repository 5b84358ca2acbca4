package server

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// maxServices is how many services a client may name. There are fewer; one that is not there is refused by name.
const maxServices = 16

// slots are what the services do for one session at a time, and what others do to it.
type slots struct {
	watching atomic.Bool  // a presence request is under way
	view     view         // what those that came before it were answered with
	waits    atomic.Int32 // requests for what is yet to come into a history
	page     sync.Mutex   // held while a page is made and answered with: one is in memory at a time

	// channels are those that the client has sent to groups on. Only the handler of that service
	// uses it, one request at a time.
	channels map[string]struct{}
}

// mostGroupChannels is on how many channels one client may send to groups in a session, and all its
// sessions together to one receiver, which has 64 for all of them: see openers.
const mostGroupChannels = 16

// mayUse reports whether a client may send to groups on a channel, and notes that it does.
func (s *slots) mayUse(name string) bool {
	if _, ok := s.channels[name]; ok {
		return true
	}
	if len(s.channels) == mostGroupChannels {
		return false
	}
	if s.channels == nil {
		s.channels = make(map[string]struct{})
	}
	s.channels[name] = struct{}{}
	return true
}

// How many requests of a client may be handled at once. Those that come to an end soon are so one
// after another, and in order.
const (
	// presenceAtOnce is one, and one more that hears that it is one too many.
	presenceAtOnce = 2
	// mostWaits is how many wait for what is yet to come into a history, and historyAtOnce leaves
	// room for those that do not.
	mostWaits     = 8
	historyAtOnce = 2 * mostWaits
)

// newServices are the handlers of what clients ask the server itself for (docs/protocol.md, section 18).
func (s *Server) newServices() *channel.Mux {
	x := new(channel.Mux)
	serve(x, service.Lookup, 1, s.serveLookup)
	serve(x, service.Rename, 1, s.serveRename)
	serve(x, service.Join, 1, s.serveJoin)
	serve(x, service.Leave, 1, s.serveLeave)
	serve(x, service.Send, 1, s.serveSend)
	serve(x, service.Presence, presenceAtOnce, s.servePresence)
	serve(x, service.History, historyAtOnce, s.serveHistory)
	return x
}

// serve registers the handler of a service, for n requests of a client at once. h answers the
// request, or returns why not.
func serve[Req any](x *channel.Mux, name string, n int, h func(context.Context, *Session, *channel.Message,
	Req) error) {
	x.HandleConcurrent(name, n, func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		if !m.IsRequest() {
			return nil // nobody waits for anything
		}
		var req Req
		if err := m.Decode(&req); err != nil {
			return &channel.Error{Code: channel.CodeBadMessage, Text: "not a request of this service"}
		}
		return h(ctx, from.(*Session), m, req)
	})
}

// reply answers with a body of CBOR. Who has gone meanwhile is nobody's concern.
func reply(ctx context.Context, m *channel.Message, body []byte) error {
	err := m.ReplyMessage(ctx, channel.CBOR, body)
	if errors.Is(err, channel.CodeTooLarge) {
		return err // nothing has been answered
	}
	return nil
}

// replyValue is reply for a value.
func replyValue(ctx context.Context, m *channel.Message, v any) error {
	body, err := channel.Marshal(v)
	if err != nil {
		return err
	}
	return reply(ctx, m, body)
}

// badName makes a refusal of what is wrong with a name.
func badName(err error) error {
	return &channel.Error{Code: channel.CodeBadName, Text: clip(err.Error())}
}

// clip shortens a text to what a refusal can carry.
func clip(s string) string {
	const most = 255
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

func (s *Server) serveLookup(ctx context.Context, sess *Session, m *channel.Message, req service.NameRequest) error {
	if err := keys.CheckName(req.Name); err != nil {
		return badName(err)
	}
	who, found, err := s.find(req.Name)
	if err != nil {
		return err
	}
	if who.key != sess.key && !s.sees(sess.Peer(), *who.peer) {
		return channel.CodeUnknownPeer // as of nobody's name, so that it does not show whose there are, connected or not
	}
	if !found {
		return channel.CodeNotConnected
	}
	return replyValue(ctx, m, who.seen())
}

// find is how it stands with who has a name, connected or not.
func (s *Server) find(name string) (who standing, connected bool, err error) {
	s.mu.Lock()
	if sess := s.byName[name]; sess != nil {
		defer s.mu.Unlock()
		who = standing{key: sess.key, peer: sess.now.Load(), state: service.Here, since: sess.since.UnixMilli()}
		if sess.awayTold {
			who.state, who.away = service.Away, sess.awaySince.UnixMilli()
		}
		return who, true, nil
	}
	s.mu.Unlock()
	key, known := s.holder(name)
	if !known {
		return who, false, channel.CodeUnknownPeer
	}
	return standing{key: key, peer: &channel.Peer{Name: name, Key: key}}, false, nil
}

func (s *Server) serveRename(ctx context.Context, sess *Session, m *channel.Message, req service.NameRequest) error {
	if req.Name != "" {
		if _, err := checkOpenName(req.Name); err != nil {
			return badName(err)
		}
	}
	if s.AllowRename == nil {
		return &channel.Error{Code: channel.CodeRefused, Text: "this server lets nobody change its name"}
	}
	peer := sess.Peer()
	if err := s.ask("AllowRename", peer, func() error { return s.AllowRename(peer, req.Name) }); err != nil {
		return policyError(err)
	}
	now, err := sess.rename(req.Name)
	if err != nil {
		return err
	}
	return replyValue(ctx, m, now)
}

func (s *Server) serveJoin(ctx context.Context, sess *Session, m *channel.Message, req service.GroupRequest) error {
	if err := keys.CheckName(req.Group); err != nil {
		return badName(err)
	}
	if s.AllowGroups == nil {
		return errNoGroups
	}
	peer := sess.Peer()
	if err := s.ask("AllowGroups", peer, func() error { return s.AllowGroups(peer, []string{req.Group}) }); err != nil {
		return policyError(err)
	}
	now, err := sess.joinGroup(req.Group)
	if err != nil {
		return err
	}
	return replyValue(ctx, m, now)
}

func (s *Server) serveLeave(ctx context.Context, sess *Session, m *channel.Message, req service.GroupRequest) error {
	if err := keys.CheckName(req.Group); err != nil {
		return badName(err)
	}
	if s.AllowLeave == nil {
		return &channel.Error{Code: channel.CodeRefused, Text: "this server lets nobody leave a group"}
	}
	peer := sess.Peer()
	if err := s.ask("AllowLeave", peer, func() error { return s.AllowLeave(peer, req.Group) }); err != nil {
		return policyError(err)
	}
	now, err := sess.leaveGroup(req.Group)
	if err != nil {
		return err
	}
	return replyValue(ctx, m, now)
}
