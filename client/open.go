package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// OpenPipe opens a pipe to the client that the server knows by name, and returns when that client
// has let us in. The key that it must prove is the key file's, or the one in Config.KnownPeers; the
// server's word counts for nothing. While there is no connection to the server OpenPipe waits for
// one.
//
// The error is a *keys.ChangedKeyError if somebody with another key answered, and else an *Error:
// CodeUnknownPeer (no such name, or no key for it), CodeNotConnected, CodeRefused (by the server's
// policy or by the peer), CodeUnknownKey (the peer does not know us), CodeBusy (too many pipes wait
// or are open already), CodeGone (it left meanwhile), or CodeTimeout: it did not answer within
// Config.PipeTimeout, as one whose connection is lost and who may be coming back.
//
// A peer who is away is to be waited for with one OpenPipe, a long PipeTimeout and a ctx that ends
// when we no longer want to, and not by knocking again and again: a pipe that was given up, at the
// end of its time or of ctx, counts at the server until the peer is back and has heard of it, or
// has left. While four of this client's do, each further one gets CodeBusy.
func (c *Client) OpenPipe(ctx context.Context, name string) (*Pipe, error) {
	if err := keys.CheckName(name); err != nil {
		return nil, err
	}
	if keys.CheckClientName(name) != nil {
		return nil, &channel.Error{Code: channel.CodeBadName,
			Text: "the server is no peer: use the client's own methods to talk to it"}
	}
	trust, err := c.trustOf(name, true)
	if err != nil {
		return nil, err
	}
	ctx, done := c.within(ctx)
	defer done()
	var number [wire.IDSize]byte
	rand.Read(number[:])
	conn, w, err := c.connectPipe(ctx, trust, number, c.cfg.PipeTimeout)
	if err != nil {
		return nil, err
	}
	peer, err := c.accept(trust, conn.PeerKey())
	if err != nil {
		conn.Close()
		return nil, err
	}
	c.mu.Lock()
	p := c.newPipe(peer, number, c.reopen)
	c.mu.Unlock()
	p.attaching.Lock()
	defer p.attaching.Unlock()
	if err := p.attachTo(conn, &w); err != nil {
		return nil, pipeError(name, err)
	}
	return p, nil
}

// connectPipe opens a stream to a peer and shakes hands with it, which takes at most so long.
func (c *Client) connectPipe(ctx context.Context, trust *peerTrust, number [wire.IDSize]byte,
	timeout time.Duration) (*secure.Conn, wire.Welcome, error) {
	open := wire.PipeOpen{Opener: c.self.pipeName(), Target: trust.name}
	rand.Read(open.ID[:])
	hello, err := (&wire.Hello{MaxMessage: c.cfg.maxMessage(), Instance: number}).Append(nil)
	if err != nil {
		return nil, wire.Welcome{}, err
	}
	if err := c.here.await(ctx, c.conn.Context()); err != nil {
		return nil, wire.Welcome{}, c.conn.bare(ctx, err)
	}
	stream, err := c.conn.OpenPipe(open)
	if err != nil {
		return nil, wire.Welcome{}, err
	}
	conn, err := secure.Initiate(ctx, stream, &secure.Config{
		Key: c.cfg.Keys.Private, Pipe: binding(open), Hello: hello, VerifyPeer: trust.check,
		Timeout: timeout,
	})
	if err != nil {
		return nil, wire.Welcome{}, pipeError(trust.name, err)
	}
	w, err := wire.ParseWelcome(conn.Welcome())
	switch {
	case err != nil:
	case w.Name != "" || w.Features != 0:
		err = errors.New("the peer's welcome says what only a server's may")
	case w.Record == [wire.IDSize]byte{}:
		err = errNoRecord
	}
	if err != nil {
		conn.Close()
		return nil, wire.Welcome{}, pipeError(trust.name, err)
	}
	return conn, w, nil
}

// errNoRecord is a welcome without the mark that tells whether the other side goes on with the numbers of our instance.
var errNoRecord = errors.New("the welcome has no record of the instance")

func binding(open wire.PipeOpen) *secure.Binding {
	return &secure.Binding{ID: open.ID, Opener: open.Opener, Target: open.Target}
}

// pipeError says why a pipe could not be opened, in terms of this package.
func pipeError(name string, err error) error {
	var closed *channel.CloseError
	var refused *secure.RefusedError
	var changed *keys.ChangedKeyError
	switch {
	case errors.As(err, &changed):
		return changed
	case errors.Is(err, ErrSessionLost): // what the server said when it ended that is no answer to this
	case errors.Is(err, secure.ErrTimeout):
		err = &channel.Error{Code: channel.CodeTimeout, Text: "it did not answer, and may have lost its connection"}
	case errors.As(err, &refused):
		err = &channel.Error{Code: channel.Code(refused.Code), Text: refused.Text, Remote: true}
	case errors.As(err, &closed):
		err = &channel.Error{Code: channel.Code(closed.Code), Text: closed.Text, Remote: true}
	}
	return fmt.Errorf("pipe to %q: %w", name, err)
}
