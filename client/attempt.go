package client

import (
	"context"
	"errors"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/secure"
)

// reconnect makes one connection and goes on over it, with the session or, if anew is set or there is
// none, with a new one.
func (k *keeper) reconnect(anew bool) error {
	s := k.session
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	defer k.sleeper.during(cancel)()
	if !k.resumable(s) {
		conn, w, err := k.dialer.tryInTime(ctx, nil)
		if err != nil {
			return err
		}
		return k.begin(conn, &w)
	}
	var h *resume.Handover
	conn, w, err := k.dialer.tryInTime(ctx, func(hash [resume.HashSize]byte) *wire.Token {
		h = s.stream.Handover() // no sooner: until it ends the present connection acknowledges nothing more, and so may stall
		return s.token(hash, h.Position(), anew)
	})
	if h != nil {
		defer h.Abort() // does nothing after Attach
	}
	switch {
	case err != nil:
		return err
	case !w.Resumed && anew:
		return k.begin(conn, &w)
	case !w.Resumed:
		err = &channel.Error{Code: channel.CodeNoSession, Text: "the server began another, which nobody asked for"}
	case !s.proven(conn, &w):
		err = errors.New("the server does not have the session's secret")
	case w.MaxMessage != s.maxMessage || w.Features != s.features:
		err = errors.New("the server resumed the session with other limits or features than it began with")
	default:
		s.connected(&w, &k.client.cfg) // before it can be lost again
		k.client.tally.resumed()
		err = h.Attach(conn, w.Position)
	}
	if err != nil {
		conn.CloseNow()
		if w.Resumed {
			s.fail(err) // the server has left the old connection
		}
		err = dialError(k.dialer.address(), err)
		k.dialer.next()
	}
	return err
}

// errRegrouped is of a session that began with other groups than the client has joined meanwhile.
var errRegrouped = errors.New("the client has joined or left a group meanwhile")

// begin begins a session over a connection, which it takes over, and tells of it.
func (k *keeper) begin(conn *secure.Conn, w *wire.Welcome) error {
	c := k.client
	number, begun := c.self.enter(w.Name, k.dialer.groups)
	if !begun {
		conn.CloseNow()
		return errRegrouped
	}
	s, lower, err := newSession(conn, w, &c.cfg, k.ring)
	if err != nil {
		conn.CloseNow()
		return err
	}
	s.number = 1
	if old := k.session; old != nil {
		s.number = old.number + 1
		if !old.linkDone() {
			old.link.Cut(&SessionLostError{Err: errNewSession})
		}
	}
	c.conn.Books().Welcomed(w.Record)
	s.link = link.New(lower, &link.Config{
		Initiator: true, Peer: &c.peer, From: c, Mux: c.mux, Listeners: &c.fromServer, OpenPipe: c.pipeOpened,
		MaxMessage: c.cfg.maxMessage(), PeerMaxMessage: w.MaxMessage, StreamWindow: c.cfg.StreamWindow,
		Logger: c.cfg.Logger, Books: c.conn.Books(), GroupMessages: true, Services: c.services(number),
		ServicesAtOnce: true,
	})
	k.session = s
	c.tally.begin(s.link, s)
	k.online() // before anything can be heard or taken in the session, and end the client
	return c.conn.Attach(s.link)
}

// online tells that there is a connection.
func (k *keeper) online() {
	k.client.here.set(true) // first: who hears of it may send at once
	k.client.states.set(func(now *State) {
		now.Phase, now.Session, now.Address, now.Err, now.Retry, now.RetryAt = Online, k.session.number,
			k.dialer.address(), nil, 0, time.Time{}
	})
}
