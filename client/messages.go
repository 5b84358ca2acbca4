package client

import (
	"context"
	"fmt"
	"iter"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// Receive waits for the next message from the server on a channel that has no handler, and of one
// of these channels if any are named; those of channels that have a handler go there from now on,
// as after Run. Messages on others wait for a Receive that takes them, and once they are some 64
// KiB their sender does, too. It stops at ctx's end or the client's; what had arrived before the
// server closed the connection for good is still returned. It goes on with the messages of the next
// session. The error is a *keys.NameError for what is no channel's name.
//
// For a channel that has a handler, or a Fallback that takes it, Receive waits in vain: the messages go there.
//
// One sent to a group that the client is in has the group's name in Message.Group, and From is the
// sender by the server's word.
func (c *Client) Receive(ctx context.Context, channels ...string) (*channel.Message, error) {
	if err := checkChannels(channels); err != nil {
		return nil, err
	}
	return c.conn.Receive(ctx, channels...)
}

// Messages gives the messages that Receive gives, one after another, until ctx ends, the loop is
// left or the client has ended: then its Context says why. No message is taken that the loop does
// not get. It panics on what is no channel's name, as Handle does: that is a mistake of the
// program. As with Receive, a loop over a channel that has a handler gets nothing.
//
//	for m := range c.Messages(ctx, "news") {
//		log.Printf("%q", m.Body)
//	}
func (c *Client) Messages(ctx context.Context, channels ...string) iter.Seq[*channel.Message] {
	return messages(ctx, c.Receive, channels)
}

// Receive waits for the next message from the peer on a channel that has no handler, and of one of
// these channels if any are named; see Client.Receive.
func (p *Pipe) Receive(ctx context.Context, channels ...string) (*channel.Message, error) {
	if err := checkChannels(channels); err != nil {
		return nil, err
	}
	return p.conn.Receive(ctx, channels...)
}

// Messages gives the messages that Receive gives, one after another; see Client.Messages, also for
// what it panics on. It ends with the pipe, whose Context says why.
func (p *Pipe) Messages(ctx context.Context, channels ...string) iter.Seq[*channel.Message] {
	return messages(ctx, p.Receive, channels)
}

func messages(ctx context.Context, receive func(context.Context, ...string) (*channel.Message, error),
	channels []string) iter.Seq[*channel.Message] {
	if err := checkChannels(channels); err != nil {
		panic(fmt.Sprintf("client: cannot give messages: %v", err))
	}
	return func(yield func(*channel.Message) bool) {
		for ctx.Err() == nil {
			m, err := receive(ctx, channels...)
			if err != nil || !yield(m) {
				return
			}
		}
	}
}

func checkChannels(channels []string) error {
	for _, name := range channels {
		if err := keys.CheckChannel(name); err != nil {
			return err
		}
	}
	return nil
}
