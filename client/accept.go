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

// maxWaiting is how many pipes may wait to be accepted, or be in their handshake; the next opener is told that we are busy.
const maxWaiting = 16

// maxShaking is how many of them may be in the handshake for one opener's name, so that one who never finishes his cannot
// keep the others out.
const maxShaking = 4

// ErrRunning is returned by AcceptPipe after Run, which takes the pipes that peers open.
var ErrRunning = errors.New("client: Run takes the pipes of this client: use handlers, or do not call Run")

// maxPerPeer is how many pipes one peer may have with us when it opens another.
const maxPerPeer = 64

// AcceptPipe waits for the next pipe that a peer has opened: one of the key file's peers, or as Config says. The handshake is done by then. It stops at ctx's end
// or the connection's. Run takes the pipes itself: after it AcceptPipe returns ErrRunning.
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
	case <-c.ctx.Done():
		return nil, context.Cause(c.ctx)
	}
}

// takePipes accepts pipes for Run.
func (c *Client) takePipes() {
	defer c.wg.Done()
	for {
		p, err := c.acceptPipe(c.ctx)
		if err != nil {
			return
		}
		c.adopt(p)
	}
}

// adopt lets a pipe's messages go to the handlers, and SendTo use it if it has none for that peer.
func (c *Client) adopt(p *Pipe) *Pipe {
	c.mu.Lock()
	first := c.byKey[p.peer.Key]
	if first == nil && p.link.Context().Err() == nil {
		c.byKey[p.peer.Key] = p
		first = p
	}
	c.mu.Unlock()
	p.link.Run()
	return first
}

// pipesOf counts the pipes with a peer.
func (c *Client) pipesOf(key keys.PublicKey) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for p := range c.pipes {
		if p.peer.Key == key {
			n++
		}
	}
	return n
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
	case open.Target != c.name:
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
	p, err := c.handshake(s, open)
	c.shook(open.Opener)
	if err != nil {
		c.release()
		return
	}
	select {
	case c.waiting <- p:
	case <-c.ctx.Done():
		c.release()
	}
}

func (c *Client) handshake(s *link.Stream, open wire.PipeOpen) (*Pipe, error) {
	trust, err := c.trustOf(open.Opener, c.cfg.AcceptStrangers)
	if err != nil {
		s.Reject(channel.CodeRefused, "")
		return nil, err
	}
	s.Accept()
	pending, err := secure.Accept(c.ctx, s, &secure.Config{Key: c.cfg.Keys.Private, Pipe: binding(open), Timeout: c.cfg.Timeout})
	if err != nil {
		return nil, err
	}
	hello, err := wire.ParseHello(pending.Hello())
	if err == nil && (hello.Name != "" || len(hello.Groups) > 0 || hello.Transient) {
		err = errors.New("a pipe's hello says what only a session's may")
	}
	if err != nil {
		pending.Refuse(c.ctx, wire.CodeProtocol, "malformed hello")
		return nil, err
	}
	if err := trust.check(pending.PeerKey()); err != nil {
		pending.Refuse(c.ctx, wire.CodeUnknownKey, "this is not the key that we have for that name")
		return nil, err
	}
	if c.pipesOf(pending.PeerKey()) >= maxPerPeer {
		err := &channel.Error{Code: channel.CodeBusy, Text: "too many pipes of this peer"}
		pending.Refuse(c.ctx, uint16(err.Code), err.Text)
		return nil, err
	}
	peer, err := c.accept(trust, pending.PeerKey())
	if err != nil {
		var changed *keys.ChangedKeyError
		if errors.As(err, &changed) {
			pending.Refuse(c.ctx, wire.CodeUnknownKey, "this is not the key that we have for that name")
		} else {
			pending.Refuse(c.ctx, wire.CodeRefused, "")
		}
		return nil, err
	}
	welcome, err := (&wire.Welcome{MaxMessage: c.cfg.maxMessage()}).Append(nil)
	if err != nil {
		return nil, err
	}
	conn, err := pending.Welcome(c.ctx, welcome)
	if err != nil {
		return nil, err
	}
	return c.newPipe(conn, peer, false, hello.MaxMessage), nil
}
