package durable

import (
	"context"
	"errors"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
)

// awaitLink gives the present link, and waits for one while there is none. With gaps it returns a gap that has not been told instead, and then it is.
func (c *Conn) awaitLink(ctx context.Context, gaps bool) (*link.Link, error) {
	if l := c.present.Load(); l != nil {
		return l, nil
	}
	for {
		c.mu.Lock()
		if c.last != nil {
			c.linkEnded(c.last) // what a call has just been told of may not be noted yet
		}
		switch {
		case c.ended:
			c.mu.Unlock()
			return nil, context.Cause(c.ctx)
		case gaps && c.gap != nil:
			defer c.mu.Unlock()
			return nil, c.tell()
		case c.alive:
			defer c.mu.Unlock()
			return c.last, nil
		}
		changed := c.change()
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// liveLink is awaitLink for what does not go on with the next link: it gives none whose end is only about to be noted.
func (c *Conn) liveLink(ctx context.Context) (*link.Link, error) {
	for {
		l, err := c.awaitLink(ctx, false)
		if err != nil || l.Context().Err() == nil {
			return l, err
		}
		c.mu.Lock()
		c.linkEnded(l)
		c.mu.Unlock()
	}
}

// change is closed when something has changed. Call it with mu held.
func (c *Conn) change() <-chan struct{} {
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}

// tell gives the gap to a caller; there is no more to tell then. Call it with mu held.
func (c *Conn) tell() error {
	gap := c.gap
	c.gap, c.heard = nil, true
	c.publish()
	return gap
}

// told notes that a caller who sends learns of the end, if err is that.
func (c *Conn) told(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended && err == context.Cause(c.ctx) {
		c.heard = true
	}
	return err
}

// Untold takes the news of lost messages for somebody who is not going to send here again: what the next Send would return, or the *channel.GapError that the Conn has ended with. It is
// nil if there are none, or if a Send, SendAcked, Flush, Close or Untold has told of them already.
func (c *Conn) Untold() *channel.GapError {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil {
		c.linkEnded(c.last)
	}
	var gap *channel.GapError
	switch {
	case !c.ended && c.gap != nil:
		gap = c.gap
		_ = c.tell()
	case c.ended && !c.heard && errors.As(context.Cause(c.ctx), &gap):
		c.heard = true
	}
	return gap
}

// over reports whether a call has failed because its link has ended, and the caller is to go on with the next one. Else err is what the call returns: its own error, or the gap
// that the link has left.
func (c *Conn) over(l *link.Link, err error) (again bool, _ error) {
	if !l.Ended(err) {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linkEnded(l)
	var gap *channel.GapError
	switch {
	case c.ended:
		return false, context.Cause(c.ctx)
	case c.cfg.Resend || !errors.As(context.Cause(l.Context()), &gap):
		return true, nil
	}
	if c.gap == gap {
		_ = c.tell()
	}
	return false, gap
}
