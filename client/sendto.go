package client

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// opening is a pipe that SendTo opens. Others who send to the same peer meanwhile wait for it.
type opening struct {
	done chan struct{}
	pipe *Pipe
	err  error
}

// SendTo sends body to a peer on a channel, through a pipe that it opens or that is open already.
// Messages that come back through it go to the client's handlers when Run has been called. It waits
// as PipeTo and Send do, and has their errors.
//
// If the pipe that it used before has lost messages, as when the peer was restarted, the next
// SendTo returns the *channel.GapError, once, whatever pipe it would use, and sends nothing. With
// AtLeastOnce that is only when the old pipe has ended without having delivered them; those that it
// still delivers may come after what was sent later, through another pipe.
func (c *Client) SendTo(ctx context.Context, peer, name string, body []byte) error {
	return c.SendMessageTo(ctx, peer, &channel.Message{Channel: name, Body: body})
}

// SendMessageTo is SendTo for a message with another encoding mark than Raw.
func (c *Client) SendMessageTo(ctx context.Context, peer string, m *channel.Message) error {
	p, err := c.pipeTo(ctx, peer, true)
	if err != nil {
		return err
	}
	return p.SendMessage(ctx, m)
}

// PipeTo returns the pipe that SendTo uses for a peer, and opens it if there is none. A pipe that
// the peer opened serves as well if Run took it, but not while the peer is away from it: he may
// have been restarted, and then never comes back to it. So PipeTo tries to open another, again and
// again until one of the two is there, the old one has ended, or ctx; only if the peer does not let
// us open one it returns the old. One of our own that waits for its peer to come back it returns at
// once. What SendTo or PipeTo's caller has lost through an earlier pipe the first call on this one
// may tell, with a *channel.GapError. Do not close it while others may send through it.
func (c *Client) PipeTo(ctx context.Context, peer string) (*Pipe, error) {
	return c.pipeTo(ctx, peer, false)
}

// pipeTo is PipeTo. With gaps it first returns, as the error, what is to be told of messages that
// were lost on their way to the peer.
func (c *Client) pipeTo(ctx context.Context, peer string, gaps bool) (*Pipe, error) {
	for {
		trust, err := c.trustOf(peer, true)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		p, err := c.chosen(trust.known, gaps)
		if err != nil || p != nil && (!p.theirs || p.linked()) {
			c.mu.Unlock()
			return p, err
		}
		o := c.opening[peer]
		if o == nil {
			o = &opening{done: make(chan struct{})}
			c.opening[peer] = o
			c.mu.Unlock()
			c.open(ctx, peer, p, o)
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

// chosen is the pipe that SendTo uses for a peer at the moment, nil if there is none. With gaps it
// may be an error instead, as of pipeTo. Call it with c.mu held.
func (c *Client) chosen(peer keys.PublicKey, gaps bool) (*Pipe, error) {
	if peer.IsZero() {
		return nil, nil // somebody whom we do not know yet
	}
	p := c.byKey[peer]
	if p != nil && gaps && !p.linked() {
		c.owe(p)
	}
	if gaps {
		if err := c.settle(peer); err != nil {
			return nil, err
		}
	}
	if p == nil || !p.alive() {
		return nil, nil
	}
	p.used = true
	return p, nil
}

// open opens a pipe for SendTo. waits is one of the peer's that will also do if he comes back to
// it; nil if there is none.
func (c *Client) open(ctx context.Context, peer string, waits *Pipe, o *opening) {
	p, err := c.OpenPipe(ctx, peer)
	if err != nil && waits != nil {
		p, err = c.openBeside(ctx, peer, waits, err)
	}
	if err == nil && p != waits {
		// The peer's pipe may have come first meanwhile. Ours stays open all the same: the peer may
		// be sending through it.
		if first := c.adopt(p); first != nil {
			p = first
		}
	}
	o.pipe, o.err = p, err
	c.mu.Lock()
	delete(c.opening, peer)
	if err == nil {
		p.used = true
	}
	c.mu.Unlock()
	close(o.done)
}

// openBeside goes on to open a pipe, after a first attempt has failed, until one works or the peer
// has come back to the pipe that waits for him. That one it returns also if we may not open
// another, or are not to wait.
func (c *Client) openBeside(ctx context.Context, peer string, waits *Pipe, err error) (p *Pipe, _ error) {
	waits.present() // that it is not there may not be noted yet
	back := backoff{first: firstReopen, most: mostReopen}
	var changed *keys.ChangedKeyError
	for err != nil && !errors.As(err, &changed) && ctx.Err() == nil && c.conn.Context().Err() == nil && waits.alive() {
		if finalForPipe(err) || c.cfg.FailOffline {
			return waits, nil
		}
		pause, cancel := context.WithTimeout(ctx, back.next())
		there := waits.here.await(pause, waits.conn.Context()) == nil
		cancel()
		if there {
			return waits, nil
		}
		p, err = c.OpenPipe(ctx, peer)
	}
	return p, err
}

// Pipes are the pipes that are open now, or wait for their peer to come back.
func (c *Client) Pipes() []*Pipe {
	return slices.DeleteFunc(c.everyPipe(), func(p *Pipe) bool { return !p.alive() })
}

// everyPipe are all pipes of which something is left.
func (c *Client) everyPipe() []*Pipe {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.pipes))
}
