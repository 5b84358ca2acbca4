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

// noteGap notes what a link has left on the channels of lossy, beside what nobody has been told of
// from before. What the gap lists of other channels was told before. Call it with mu held.
func (c *Conn) noteGap(gap *channel.GapError, lossy []string) {
	if c.gap != nil {
		merged := *gap
		merged.Channels = slices.Clone(gap.Channels)
		for _, old := range c.gap.Channels {
			if _, untold := c.lossy[old.Channel]; untold && !lists(gap, old.Channel) {
				merged.Channels = append(merged.Channels, old)
			}
		}
		slices.SortFunc(merged.Channels, func(a, b channel.ChannelGap) int {
			return strings.Compare(a.Channel, b.Channel)
		})
		gap = &merged
	}
	if c.gap = gap; c.lossy == nil {
		c.lossy = make(map[string]struct{}, len(lossy))
	}
	for _, name := range lossy {
		c.lossy[name] = struct{}{}
	}
}

func lists(gap *channel.GapError, name string) bool {
	return slices.ContainsFunc(gap.Channels, func(g channel.ChannelGap) bool { return g.Channel == name })
}

// untold reports whether there is something to tell. Call it with mu held.
func (c *Conn) untold(of losses) bool {
	_, lossy := c.lossy[of.channel]
	return c.gap != nil && (of.all || lossy)
}

// tell gives the gap to a caller; of these losses there is no more to tell then. Call it with mu held.
func (c *Conn) tell(of losses) *channel.GapError {
	gap := c.gap
	delete(c.lossy, of.channel)
	if of.all || len(c.lossy) == 0 {
		c.gap, c.lossy, c.heard = nil, nil, true
		c.publish()
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
	case errors.As(context.Cause(l.Context()), &gap) && (begun || slices.Contains(l.Lossy(), of.channel)):
		return false, gap // others have been told, too
	}
	return true, nil
}
