package durable

import (
	"context"

	"github.com/pysock/pysock/internal/link"
)

// awaitLink gives the present link, and waits for one while there is none. It returns a gap instead
// that the caller is to be told of, and then it is.
func (c *Conn) awaitLink(ctx context.Context, of losses) (*link.Link, error) {
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
		case c.untold(of):
			defer c.mu.Unlock()
			return nil, c.tell(of)
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
		l, err := c.awaitLink(ctx, losses{})
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
