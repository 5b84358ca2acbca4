package client

import (
	"context"

	"github.com/pysock/pysock/channel"
)

// opening is a pipe that SendTo opens. Others who send to the same peer meanwhile wait for it.
type opening struct {
	done chan struct{}
	pipe *Pipe
	err  error
}

// SendTo sends body to a peer on a channel, through a pipe that it opens or that is open already. Messages that come back through it go to the client's handlers
// when Run has been called. It waits as OpenPipe and Send do, and has their errors.
func (c *Client) SendTo(ctx context.Context, peer, name string, body []byte) error {
	return c.SendMessageTo(ctx, peer, &channel.Message{Channel: name, Body: body})
}

// SendMessageTo is SendTo for a message with another encoding mark than Raw.
func (c *Client) SendMessageTo(ctx context.Context, peer string, m *channel.Message) error {
	p, err := c.PipeTo(ctx, peer)
	if err != nil {
		return err
	}
	return p.SendMessage(ctx, m)
}

// PipeTo returns the pipe that SendTo uses for a peer, and opens it if there is none. A pipe that the peer opened serves as well if Run
// took it, and so does one that waits for its peer to come back. Do not close it while others may send through it.
func (c *Client) PipeTo(ctx context.Context, peer string) (*Pipe, error) {
	for {
		trust, err := c.trustOf(peer, true)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if p := c.byKey[trust.known]; p != nil && !trust.known.IsZero() && p.alive() {
			c.mu.Unlock()
			return p, nil
		}
		o := c.opening[peer]
		if o == nil {
			o = &opening{done: make(chan struct{})}
			c.opening[peer] = o
			c.mu.Unlock()
			c.open(ctx, peer, o)
			return o.pipe, o.err
		}
		c.mu.Unlock()
		select {
		case <-o.done:
			if o.err == nil {
				return o.pipe, nil
			}
			// The other's attempt may have failed for reasons of its own, such as its ctx.
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *Client) open(ctx context.Context, peer string, o *opening) {
	p, err := c.OpenPipe(ctx, peer)
	if err == nil {
		// The peer's pipe may have come first meanwhile. Ours stays open all the same: the peer may be sending through it.
		if first := c.adopt(p); first != nil {
			p = first
		}
	}
	o.pipe, o.err = p, err
	c.mu.Lock()
	delete(c.opening, peer)
	c.mu.Unlock()
	close(o.done)
}

// Pipes are the pipes that are open now, or wait for their peer to come back.
func (c *Client) Pipes() []*Pipe {
	c.mu.Lock()
	defer c.mu.Unlock()
	pipes := make([]*Pipe, 0, len(c.pipes))
	for p := range c.pipes {
		if p.alive() {
			pipes = append(pipes, p)
		}
	}
	return pipes
}
