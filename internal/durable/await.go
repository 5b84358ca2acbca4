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
	c.gap = nil
	c.publish()
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
