package durable

import (
	"context"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
)

// Run lets messages go to their handlers, of this and of all later links.
func (c *Conn) Run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run = true
	if c.last != nil {
		c.last.Run()
	}
}

// Receive is link.Link.Receive over all links: it returns what has arrived on one, then goes on
// with the next. After the last it returns why the Conn has ended. What one Receive of some
// channels leaves behind on a link is there for others.
func (c *Conn) Receive(ctx context.Context, channels ...string) (*channel.Message, error) {
	var drained *link.Link // has nothing of these channels any more
	for {
		c.mu.Lock()
		c.pull = true
		if c.ended && context.Cause(c.ctx) == channel.ErrClosed {
			c.mu.Unlock()
			return nil, channel.ErrClosed
		}
		l := c.last
		if c.drain != nil && c.drain != drained {
			l = c.drain
		}
		var changed <-chan struct{}
		if l == nil {
			if c.ended {
				c.mu.Unlock()
				return nil, context.Cause(c.ctx)
			}
			changed = c.change()
		}
		c.mu.Unlock()

		if l != nil {
			m, err := l.Receive(ctx, channels...)
			if err == nil || !l.Ended(err) {
				return m, err
			}
			c.mu.Lock()
			c.linkEnded(l)
			switch {
			case c.drain == l:
				if drained = l; len(channels) == 0 {
					c.drain = nil
				}
			case c.last != l:
			case c.ended:
				c.mu.Unlock()
				return nil, context.Cause(c.ctx)
			default:
				changed = c.change()
			}
			c.mu.Unlock()
		}
		if changed == nil {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
