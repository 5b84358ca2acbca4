package durable

import (
	"context"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
)

// Send is link.Link.Send on the present link, or on the next. When it fails nothing was sent.
func (c *Conn) Send(ctx context.Context, name string, enc channel.Encoding, body []byte) error {
	of := losses{channel: name}
	for {
		l, err := c.awaitLink(ctx, of)
		if err != nil {
			return c.told(err)
		}
		if err = l.Send(ctx, name, enc, body); err == nil {
			return nil
		}
		if again, err := c.over(l, err, of, false); !again {
			return c.told(err)
		}
	}
}

// SendAcked is Send, and waits until the other application has taken the message: with
// Config.Resend through all the links that that takes. At most once, a link that ends meanwhile
// ends it with the gap, in which this message is Counted.
func (c *Conn) SendAcked(ctx context.Context, name string, enc channel.Encoding, body []byte) error {
	of := losses{channel: name}
	for {
		l, err := c.awaitLink(ctx, of)
		if err != nil {
			return c.told(err)
		}
		receipt, err := l.Begin(ctx, name, enc, body)
		if err == nil {
			if err = l.AwaitTaken(ctx, receipt); err == nil {
				return nil
			}
		}
		begun := receipt != link.Receipt{}
		again, err := c.over(l, err, of, begun)
		switch {
		case !again && begun:
			return counted(c.told(err))
		case !again:
			return c.told(err)
		case begun:
			return c.awaitTaken(ctx, receipt) // it was begun: it is sent again by itself
		}
	}
}

// counted marks a gap as one that the call's own message is in.
func counted(err error) error {
	gap, ok := err.(*channel.GapError)
	if !ok {
		return err
	}
	own := *gap
	own.Counted = true
	return &own
}

// Flush waits until the other application has taken every message sent before, as SendAcked waits
// for one. It does not wait for a link if there is nothing to wait for, and does not fail for the
// end of the Conn then.
func (c *Conn) Flush(ctx context.Context) error {
	if c.cfg.Resend {
		for _, receipt := range c.books.Outstanding() {
			if err := c.awaitTaken(ctx, receipt); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		l, err := c.flushable(ctx)
		if l == nil {
			return c.told(err)
		}
		if err = l.Flush(ctx); err == nil {
			return nil
		}
		if again, err := c.over(l, err, losses{all: true}, true); !again {
			return c.told(err)
		}
	}
}

// awaitTaken waits until a message has been taken, on this link or a later one.
func (c *Conn) awaitTaken(ctx context.Context, receipt link.Receipt) error {
	for {
		l, err := c.awaitLink(ctx, losses{})
		if err == nil {
			err = l.AwaitTaken(ctx, receipt)
		}
		if err == nil || l == nil {
			return c.told(err)
		}
		if again, err := c.over(l, err, losses{}, true); !again {
			return c.told(err)
		}
	}
}

// flushable gives the link to flush; nil if there is nothing to flush and no link.
func (c *Conn) flushable(ctx context.Context) (*link.Link, error) {
	c.mu.Lock()
	if c.last != nil {
		c.linkEnded(c.last)
	}
	idle := !c.alive && c.gap == nil && (!c.ended || !c.books.Pending())
	c.mu.Unlock()
	if idle {
		return nil, nil
	}
	return c.awaitLink(ctx, losses{all: true})
}

// Request is link.Link.Request on the present link, or on the next if there is none. When its link
// ends so does the request, with why that ended.
func (c *Conn) Request(ctx context.Context, name string, enc channel.Encoding, body []byte) (*channel.Message, error) {
	l, err := c.liveLink(ctx)
	if err != nil {
		return nil, err
	}
	return l.Request(ctx, name, enc, body)
}

// RequestService is link.Link.RequestService, as Request.
func (c *Conn) RequestService(ctx context.Context, name string, body []byte) (*channel.Message, error) {
	l, err := c.liveLink(ctx)
	if err != nil {
		return nil, err
	}
	return l.RequestService(ctx, name, body)
}

// OpenStream is link.Link.OpenStream, as Request. The stream ends with its link.
func (c *Conn) OpenStream(ctx context.Context, name string) (*link.Stream, error) {
	l, err := c.liveLink(ctx)
	if err != nil {
		return nil, err
	}
	return l.OpenStream(ctx, name)
}

// OpenPipe is link.Link.OpenPipe on the present link. It does not wait: while there is no link it
// fails with why the last one ended, and with channel.ErrClosed before the first.
func (c *Conn) OpenPipe(open wire.PipeOpen) (*link.Stream, error) {
	c.mu.Lock()
	l := c.last
	c.mu.Unlock()
	if l == nil {
		return nil, channel.ErrClosed
	}
	return l.OpenPipe(open)
}

// Ping is link.Link.Ping, as Request.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	l, err := c.liveLink(ctx)
	if err != nil {
		return 0, err
	}
	return l.Ping(ctx)
}
