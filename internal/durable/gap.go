package durable

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
)

// losses says of which lost messages a caller is to be told: none, those of a channel that it sends on, or all.
type losses struct {
	channel string
	all     bool
}

// noteGap notes what a link has left, beside what nobody has been told of from before. Call it with mu held.
func (c *Conn) noteGap(gap *channel.GapError) { c.gap = withChannels(gap, c.gap) }

// withChannels is gap, which lists the channels of an older one too, which may be nil. Of a channel
// that both list it is the same loss: nothing is sent on a channel before its loss is told.
func withChannels(gap, older *channel.GapError) *channel.GapError {
	if older == nil {
		return gap
	}
	both := *gap
	both.Channels = slices.Clone(gap.Channels)
	for _, g := range older.Channels {
		if !lists(gap, g.Channel) {
			both.Channels = append(both.Channels, g)
		}
	}
	slices.SortFunc(both.Channels, func(a, b channel.ChannelGap) int { return strings.Compare(a.Channel, b.Channel) })
	return &both
}

func lists(gap *channel.GapError, name string) bool {
	return slices.ContainsFunc(gap.Channels, func(g channel.ChannelGap) bool { return g.Channel == name })
}

// only is gap with the one channel that it is told of to a sender, or, with others, without it.
func only(gap *channel.GapError, name string, others bool) *channel.GapError {
	part := *gap
	part.Channels = slices.DeleteFunc(slices.Clone(gap.Channels), func(g channel.ChannelGap) bool {
		return (g.Channel == name) == others
	})
	return &part
}

// untold reports whether there is something to tell. Call it with mu held.
func (c *Conn) untold(of losses) bool { return c.gap != nil && (of.all || lists(c.gap, of.channel)) }

// tell gives what it is to be told of to a caller; of these losses there is no more to tell then. Call it with mu held.
func (c *Conn) tell(of losses) *channel.GapError {
	told := c.gap
	c.gap = nil
	if !of.all {
		left := only(told, of.channel, true)
		told = only(told, of.channel, false)
		if len(left.Channels) > 0 {
			c.gap = left
			return told
		}
	}
	c.heard = true
	c.publish()
	return told
}

// ending is err, the end of the Conn, as it is to be told: with what the present link may lose, or
// with Resend any has left, and with what was lost before and nobody has been told of. It is a
// *channel.GapError, without channels, also if all that the last link has left has been told of:
// who asks how it ended wants its numbers. Call it with mu held.
func (c *Conn) ending(err error) error {
	gap := c.books.Gap(err, true).(*channel.GapError)
	if !c.alive && !c.cfg.Resend {
		gap.Channels = nil // they are told, or in c.gap
	}
	if gap = withChannels(gap, c.gap); len(gap.Channels) == 0 && !c.books.Pending() {
		return gap.Err
	}
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

// Untold takes the news of lost messages for somebody who is not going to send here again: what the
// next Send would return, or the *channel.GapError that the Conn has ended with. It is nil if there
// are none, or if a Send, SendAcked, Flush, Close or Untold has told of them already.
func (c *Conn) Untold() *channel.GapError {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil {
		c.linkEnded(c.last)
	}
	var gap *channel.GapError
	switch {
	case !c.ended && c.gap != nil:
		gap = c.tell(losses{all: true})
	case c.ended && !c.heard && errors.As(context.Cause(c.ctx), &gap):
		c.heard = true
	}
	return gap
}

// over reports whether a call has failed because its link has ended, and the caller is to go on
// with the next one. Else err is what the call returns: its own error, or the gap that the link has
// left. begun says that a message of the call, or all that it waits for, is in that gap; else it
// hears of it if its channel is.
func (c *Conn) over(l *link.Link, err error, of losses, begun bool) (again bool, _ error) {
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
	case c.cfg.Resend:
		return true, nil
	case c.untold(of):
		return false, c.tell(of)
	case !errors.As(context.Cause(l.Context()), &gap):
	case begun && (of.all || !lists(gap, of.channel)):
		return false, gap // others have been told, too
	case lists(gap, of.channel):
		return false, only(gap, of.channel, false)
	}
	return true, nil
}
