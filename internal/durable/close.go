package durable

import (
	"context"
	"errors"

	"github.com/pysock/pysock/channel"
)

// Close ends the Conn, and the present link as link.Link.Close does. It returns a *channel.GapError
// if messages could not be sent, because there is no link or they were still to be sent again, or
// may not have arrived, because the other side has not answered, and also if some were lost and
// nobody has been told of that; nil when it is called again; and of a Conn that had ended, why,
// unless the other side had closed it with CodeClosed.
func (c *Conn) Close(code channel.Code, text string) error {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		err := context.Cause(c.ctx)
		if err == channel.ErrClosed {
			return nil
		}
		if closed, ok := err.(*channel.CloseError); ok && closed.Code == channel.CodeClosed {
			return nil // both wanted the same
		}
		return c.told(err)
	}
	if c.last != nil {
		c.linkEnded(c.last)
	}
	l, alive, reason, untold := c.last, c.alive, c.reason, c.gap
	left := c.ending(reason)
	c.end(channel.ErrClosed)
	c.mu.Unlock()
	var gap *channel.GapError
	if !alive {
		if errors.As(left, &gap) && len(gap.Channels) > 0 {
			return gap
		}
		return nil
	}
	unsent := l.Resending()
	err := l.Close(code, text)
	switch {
	case errors.As(err, &gap):
		return withChannels(gap, untold)
	case err == nil && unsent:
		return c.books.Gap(reason, true)
	case untold != nil:
		if err == nil {
			err = untold.Err
		}
		gap = c.books.Gap(err, true).(*channel.GapError)
		gap.Channels = untold.Channels
		return gap
	}
	return err
}
