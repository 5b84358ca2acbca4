package client

import (
	"context"
	"errors"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// maxWaiting is how many pipes may wait to be accepted, or be in their handshake; the next opener
// is told that we are busy.
const maxWaiting = 16

// maxShaking is how many of them may be in the handshake for one opener's name, so that one who
// never finishes his cannot keep the others out.
const maxShaking = 4

// ErrRunning is returned by AcceptPipe after Run, which takes the pipes that peers open.
var ErrRunning = errors.New("client: Run takes the pipes of this client: use handlers, or do not call Run")

// maxPerPeer is how many pipes one peer may have with us when it opens another. One counts until
// its handlers have returned, so that what a peer makes run by opening and leaving pipes is bounded
// too.
const maxPerPeer = 64

// AcceptPipe waits for the next pipe that a peer has opened: one of the key file's peers, or as
// Config says. The handshake is done by then. It stops at ctx's end or the connection's. Run takes
// the pipes itself: after it AcceptPipe returns ErrRunning.
func (c *Client) AcceptPipe(ctx context.Context) (*Pipe, error) {
	c.mu.Lock()
	running := c.running
	c.mu.Unlock()
	if running {
		return nil, ErrRunning
	}
	return c.acceptPipe(ctx)
}

func (c *Client) acceptPipe(ctx context.Context) (*Pipe, error) {
	select {
	case p := <-c.waiting:
		c.release()
		return p, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.conn.Context().Done():
		return nil, withoutGap(context.Cause(c.conn.Context()))
	}
}

// takePipes accepts pipes for Run.
func (c *Client) takePipes() {
	defer c.wg.Done()
	for {
		p, err := c.acceptPipe(c.conn.Context())
		if err != nil {
			return
		}
		c.adopt(p)
	}
}

// adopt lets a pipe's messages go to the handlers, and SendTo use it if it has none for that peer,
// or one whose peer is not there: it may have been restarted, and will not come back to that one
// then.
func (c *Client) adopt(p *Pipe) *Pipe {
	c.mu.Lock()
	first := c.byKey[p.peer.Key]
	if (first == nil || !first.linked()) && p.alive() {
		if first != nil {
			c.owe(first)
		}
		c.byKey[p.peer.Key] = p
		first = p
	}
	c.mu.Unlock()
	p.conn.Run()
	return first
}

// errCrowded ends a pipe that waits for its peer, who has opened too many others.
var errCrowded = errors.New("its place was needed for a pipe that the peer opened later")

// pipesOf counts the pipes with a peer, apart from them those that have ended and whose handlers
// still run, and finds that which has waited for the peer longest, nil if none does. Call it with
// c.mu held.
func (c *Client) pipesOf(key keys.PublicKey) (n, ended int, waiting *Pipe) {
	for p := range c.pipes {
		switch {
		case p.peer.Key != key:
			continue
		case !p.alive():
			ended++
			continue
		}
		n++
		if c.taken[p.id] == p && !p.away.IsZero() && (waiting == nil || p.away.Before(waiting.away)) {
			waiting = p
		}
	}
	return n, ended, waiting
}

// release makes room for another pipe to wait.
func (c *Client) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held--
}

// shook counts a handshake out that is done.
func (c *Client) shook(opener string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shaking[opener]--; c.shaking[opener] == 0 {
		delete(c.shaking, opener)
	}
}

// pipeOpened decides about a pipe that a peer opens, by what can be known at once. It is called by the link's reader.
func (c *Client) pipeOpened(s *link.Stream, open wire.PipeOpen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.self.named(open.Target):
		s.Reject(channel.CodeUnknownPeer, "")
	case c.cfg.NoPipes || c.closed || c.cfg.Transient:
		s.Reject(channel.CodeRefused, "")
	case c.held >= maxWaiting || c.shaking[open.Opener] >= maxShaking:
		s.Reject(channel.CodeBusy, "")
	default:
		c.held++
		c.shaking[open.Opener]++
		c.wg.Add(1)
		go c.answerPipe(s, open) // stops with the handshake
	}
}

// answerPipe runs the handshake of a pipe that a peer opens.
func (c *Client) answerPipe(s *link.Stream, open wire.PipeOpen) {
	defer c.wg.Done()
	p, again, err := c.handshake(s, open)
	c.shook(open.Opener)
	if err != nil || again {
		c.release()
		return
	}
	select {
	case c.waiting <- p:
	case <-c.conn.Context().Done():
		c.release()
	}
}

// handshake lets a peer in, or not. again is set if it came back to a pipe that we have.
func (c *Client) handshake(s *link.Stream, open wire.PipeOpen) (p *Pipe, again bool, err error) {
	ctx := c.conn.Context()
	trust, err := c.trustOf(open.Opener, c.cfg.AcceptStrangers)
	if err != nil {
		s.Reject(channel.CodeRefused, "")
		return nil, false, err
	}
	s.Accept()
	pending, err := secure.Accept(ctx, sessionStream{s}, &secure.Config{Key: c.cfg.Keys.Private, Pipe: binding(open),
		Timeout: c.cfg.Timeout})
	if err != nil {
		return nil, false, err
	}
	hello, err := wire.ParseHello(pending.Hello())
	if err == nil && (hello.Name != "" || len(hello.Groups) > 0 || hello.Transient ||
		hello.Features&wire.FeatureResume != 0) {
		err = errors.New("a pipe's hello says what only a session's may")
	}
	if err != nil {
		pending.Refuse(ctx, wire.CodeProtocol, "malformed hello")
		return nil, false, err
	}
	for {
		p, again, err = c.pipeOf(trust, pending.PeerKey(), hello.Instance)
		if err != nil {
			code, text := refusal(err)
			pending.Refuse(ctx, uint16(code), text)
			return nil, false, err
		}
		if err = p.welcome(ctx, pending, &hello); err != errPipeClosed {
			break
		}
	}
	if err != nil {
		if !again {
			p.conn.End(err)
		}
		return nil, false, err
	}
	return p, again, nil
}

// refusal is what a peer is told that we do not let in.
func refusal(err error) (channel.Code, string) {
	var changed *keys.ChangedKeyError
	var refused *channel.Error
	switch {
	case errors.As(err, &changed):
		return channel.CodeUnknownKey, "this is not the key that we have for that name"
	case errors.As(err, &refused):
		return refused.Code, refused.Text
	}
	return channel.CodeRefused, ""
}

// pipeOf is the pipe that a peer comes back to, or a new one.
func (c *Client) pipeOf(trust *peerTrust, key keys.PublicKey,
	number [wire.IDSize]byte) (p *Pipe, again bool, err error) {
	if err := trust.check(key); err != nil {
		return nil, false, err
	}
	peer, err := c.accept(trust, key)
	if err != nil {
		return nil, false, err
	}
	id := instance{key, number}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.taken[id]; p != nil && p.alive() {
		if !c.cfg.NoReconnect {
			return p, true, nil
		}
		p.conn.End(&channel.LostError{Err: errNewLink})
	}
	if n, ended, waiting := c.pipesOf(key); n+ended >= maxPerPeer {
		// One that makes room counts among the ended until its handlers, which have been told to
		// stop, do: so at most twice as many pipes have any.
		if waiting == nil || ended >= maxPerPeer {
			return nil, false, &channel.Error{Code: channel.CodeBusy, Text: "too many pipes of this peer"}
		}
		waiting.conn.End(&channel.LostError{Err: errCrowded})
	}
	p = c.newPipe(peer, number, (*Pipe).absent)
	p.theirs = true
	if number != [wire.IDSize]byte{} {
		c.taken[id] = p
	}
	return p, false, nil
}

// errPipeClosed is of a peer who comes back to a pipe that it has just closed: it gets another.
var errPipeClosed = errors.New("the peer has closed the pipe that it comes back to")

// welcome lets the peer in, and the pipe go on. The link that it had ends before that
// (docs/protocol.md, section 8.1): who is welcomed may close it, and must not end the pipe by that.
func (p *Pipe) welcome(ctx context.Context, pending *secure.Pending, hello *wire.Hello) error {
	p.attaching.Lock()
	defer p.attaching.Unlock()
	if l := p.conn.Link(); l != nil {
		l.Cut(errNewLink)
		if why := context.Cause(l.Context()); closedByPeer(why) != nil {
			p.conn.End(why) // as it is about to by itself
			return errPipeClosed
		}
	}
	w := wire.Welcome{MaxMessage: p.client.cfg.maxMessage()}
	if hello.Instance != [wire.IDSize]byte{} {
		w.Record = p.conn.Books().Record()
	}
	b, err := w.Append(nil)
	if err != nil {
		return err
	}
	conn, err := pending.Welcome(ctx, b)
	if err != nil {
		return err
	}
	return p.attach(conn, false, hello.MaxMessage)
}
