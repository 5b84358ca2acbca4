package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// Broadcast is BroadcastMessage for a body of raw bytes.
func (s *Server) Broadcast(ctx context.Context, name string, body []byte) (channel.Report, error) {
	return s.BroadcastMessage(ctx, &channel.Message{Channel: name, Body: body})
}

// BroadcastMessage sends a message to all sessions but transient ones, as by each one's
// SendMessage, and to the history of the channel in Histories, if there is one. For who does not
// take it at once it waits in a queue of the session's, and nobody waits for that: not the others,
// nor the caller. When Limits.SendQueue bytes wait for one already, the caller waits too, until ctx
// ends. How long it may be held up says SlowTimeout; then the session is ended with CodeLimit. That
// of a client that has been away for a second is ended when its queue is full, and not before.
//
// The report says whom it did not reach, and why: a client without a handler for the channel, one
// for which the message is too large, one that was too slow, one whose session ended meanwhile, or,
// when ctx ended, those that were waited for. It counts as reached for whom it waits; if that
// session ends first it is lost, and OnLeave hears why. An error is returned only for a message
// that nobody can get: a bad channel name or encoding.
//
// Messages of one caller, sent one after another, arrive in that order, and so does what
// Session.Send sends after them on the channel. The body is copied only if it has to wait.
func (s *Server) BroadcastMessage(ctx context.Context, m *channel.Message) (channel.Report, error) {
	return s.sendOwn(ctx, s.all(), "", m, false)
}

// TryBroadcast is BroadcastMessage that lets nothing wait: it leaves those out that cannot take the
// message at once. A body has at most 65,504 bytes, since no client takes more at once;
// CodeTooLarge is the error of a larger one. The report has them with CodeLimit, and each is told
// with the channel's next message how many it has missed: channel.Message.Missed. Their sessions go
// on.
func (s *Server) TryBroadcast(m *channel.Message) (channel.Report, error) {
	return s.sendOwn(context.Background(), s.all(), "", m, true)
}

// Send is SendMessage for a body of raw bytes.
func (g Group) Send(ctx context.Context, name string, body []byte) (channel.Report, error) {
	return g.SendMessage(ctx, &channel.Message{Channel: name, Body: body})
}

// SendMessage is BroadcastMessage to the sessions of the group, and to the history "group/channel";
// see Server.Histories. It comes from the server, so Message.Group is empty at the receivers: that
// is for what members send. To a group that nobody is in it reaches nobody.
func (g Group) SendMessage(ctx context.Context, m *channel.Message) (channel.Report, error) {
	if err := keys.CheckName(g.name); err != nil {
		return channel.Report{}, badName(err)
	}
	return g.server.sendOwn(ctx, g.members(), g.name, m, false)
}

// TrySend is SendMessage as TryBroadcast is BroadcastMessage.
func (g Group) TrySend(m *channel.Message) (channel.Report, error) {
	if err := keys.CheckName(g.name); err != nil {
		return channel.Report{}, badName(err)
	}
	return g.server.sendOwn(context.Background(), g.members(), g.name, m, true)
}

// all are the sessions that can be addressed, in a list of the caller's.
func (s *Server) all() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.everybody.members)
}

func (s *Server) isCutting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cutting
}

// sendOwn sends a message of the server's own to many, and to the history that is for it.
func (s *Server) sendOwn(ctx context.Context, to []*Session, group string, m *channel.Message,
	drop bool) (channel.Report, error) {
	if err := s.start(); err != nil {
		return channel.Report{}, err
	}
	if err := checkMessage(m); err != nil {
		return channel.Report{}, err
	}
	if drop && len(m.Body)+wire.MessageOverhead > flow.Guaranteed {
		return channel.Report{}, &channel.Error{Code: channel.CodeTooLarge,
			Text: fmt.Sprintf("what may be left out has at most %d bytes: nobody takes more at once",
				flow.Guaranteed-wire.MessageOverhead)}
	}
	if s.isCutting() {
		return channel.Report{}, ErrServerClosed
	}
	if len(s.Histories) > 0 {
		kept := *m
		kept.From, kept.Group = &channel.Peer{Name: keys.ServerName, Key: identity(s.Keys)}, group
		s.record(group, &kept)
	}
	d := &delivery{Message: m, drop: drop, size: len(m.Body) + deliveryOverhead}
	return s.fanOut(ctx, to, d), nil
}

func checkMessage(m *channel.Message) error {
	if err := keys.CheckChannel(m.Channel); err != nil {
		return badName(err)
	}
	if m.Encoding > channel.CBOR {
		return &channel.Error{Code: channel.CodeBadMessage,
			Text: fmt.Sprintf("there is no encoding %d", uint8(m.Encoding))}
	}
	return nil
}

// serveSend sends a message of a client to all others in a group.
func (s *Server) serveSend(ctx context.Context, sess *Session, m *channel.Message, req service.GroupMessage) error {
	if err := keys.CheckName(req.Group); err != nil {
		return badName(err)
	}
	peer := sess.now.Load()
	msg := &channel.Message{Channel: req.Channel, Body: req.Body, Encoding: req.Encoding, From: peer, Group: req.Group}
	if err := checkMessage(msg); err != nil {
		return err
	}
	if s.AllowGroupSend == nil {
		return &channel.Error{Code: channel.CodeRefused, Text: "this server lets nobody send to groups"}
	}
	if err := s.ask("AllowGroupSend", *peer, func() error {
		return s.AllowGroupSend(*peer, req.Group, msg)
	}); err != nil {
		return policyError(err)
	}
	if !sess.slots.mayUse(req.Channel) {
		return &channel.Error{Code: channel.CodeLimit,
			Text: fmt.Sprintf("a client sends to groups on %d channels at most", mostGroupChannels)}
	}
	to := slices.DeleteFunc(s.Group(req.Group).members(), func(other *Session) bool { return other == sess })
	if recorded := s.record(req.Group, msg); len(to) == 0 && !recorded {
		return &channel.Error{Code: channel.CodeUnknownPeer, Text: "nobody else is in the group"}
	}
	head := wire.GroupHead{Name: peer.Name, Key: [wire.KeySize]byte(peer.Key.Bytes()), Group: req.Group}
	d := &delivery{Message: msg, group: link.NewGroupBody(head, msg.Body), size: len(msg.Body) + deliveryOverhead}
	d.names = func(other *Session) bool { return other.key == sess.key || s.sees(*peer, other.Peer()) }
	report := s.fanOut(ctx, to, d)
	told := service.Report{Reached: report.Reached, More: report.More}
	for _, u := range report.Unreached {
		told.Unreached = append(told.Unreached, service.Unreached{Name: u.Peer.Name, Key: u.Peer.Key.Bytes(),
			Code: codeOf(u.Err)})
	}
	return replyValue(ctx, m, told)
}

// codeOf is what a client is told of why another did not get its message.
func codeOf(err error) channel.Code {
	var code channel.Code
	switch {
	case errors.As(err, &code) && code != channel.CodeClosed:
		return code
	case errors.Is(err, context.DeadlineExceeded):
		return channel.CodeTimeout
	case errors.Is(err, context.Canceled):
		return channel.CodeCanceled
	}
	return channel.CodeGone
}

// delivery is a message on its way to many.
type delivery struct {
	*channel.Message
	group *link.GroupBody     // of one that a client sends; nil for the server's own
	drop  bool                // who cannot take it at once is left out
	size  int                 // what it takes while it waits
	names func(*Session) bool // the report may name whom it did not reach; nil for all

	once sync.Once
	kept *delivery // see keep
}

// keep is the same message with a body that is its own, one for all who have to wait for it.
func (d *delivery) keep() *delivery {
	d.once.Do(func() {
		m := *d.Message
		if m.Body = nil; d.group == nil { // which has its own
			m.Body = bytes.Clone(d.Body)
		}
		d.kept = &delivery{Message: &m, group: d.group, size: d.size}
	})
	return d.kept
}

var (
	errTooSlow = &channel.Error{Code: channel.CodeLimit, Text: "too slow"}
	errLeftOut = &channel.Error{Code: channel.CodeLimit, Text: "too much waits for it already"}
)

// fanOut sends a message to many, without any lock: first it offers it to all, who take it at once
// or let it wait in their overflow, then it waits for those who have no room there (fanOutSlowly).
func (s *Server) fanOut(ctx context.Context, to []*Session, d *delivery) channel.Report {
	var report channel.Report
	missed := func(sess *Session, err error) {
		if len(report.Unreached) == service.MaxUnreached || d.names != nil && !d.names(sess) {
			report.More++
			return
		}
		report.Unreached = append(report.Unreached, channel.Unreached{Peer: sess.Peer(), Err: err})
	}
	slow := to[:0] // the list is ours, and its beginning is done with
	for _, sess := range to {
		switch err := sess.offerFirst(d); {
		case err == nil:
			report.Reached++
		case errors.Is(err, errNoRoom):
			slow = append(slow, sess)
		case errors.Is(err, link.ErrFull):
			sess.dropped.Add(1)
			missed(sess, errLeftOut)
		default:
			missed(sess, err)
		}
	}
	if len(slow) == 0 {
		return report
	}
	for i, err := range s.fanOutSlowly(ctx, slow, d) {
		if err == nil {
			report.Reached++
		} else {
			missed(slow[i], err)
		}
	}
	return report
}
