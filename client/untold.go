package client

import (
	"slices"
	"strings"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// SendTo goes over from one Pipe to another when a peer was restarted, or a pipe has ended. Nobody
// calls the one before any more, so what it has lost is told here: once, by the next SendTo, or by
// a call on the Pipe that PipeTo gives next. There is one entry for each peer that SendTo was used
// for, at most.

// owe notes what a pipe has lost that PipeTo gave, if nobody has been told yet. Call it with c.mu held.
func (c *Client) owe(p *Pipe) {
	if !p.used {
		return
	}
	gap := p.conn.Untold()
	if gap == nil {
		return
	}
	if before := c.owed[p.peer.Key]; before != nil {
		gap = bothGaps(before, gap)
	} else {
		c.owing.Add(1)
	}
	c.owed[p.peer.Key] = gap
}

// settle gives what is owed to somebody who sends to a peer, nil if that is nothing. Call it with c.mu held.
func (c *Client) settle(peer keys.PublicKey) error {
	gap := c.owed[peer]
	if gap == nil {
		return nil
	}
	delete(c.owed, peer)
	c.owing.Add(-1)
	return gap
}

// owed is what a call on the pipe is to return first: what SendTo has lost through an earlier one,
// if the pipe is SendTo's, too.
func (p *Pipe) owed() error {
	c := p.client
	if c.owing.Load() == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !p.used {
		return nil
	}
	return c.settle(p.peer.Key)
}

// bothGaps is one gap for two, of different pipes, that says why the later one's came to be.
func bothGaps(a, b *channel.GapError) *channel.GapError {
	both := &channel.GapError{Err: b.Err, Sent: a.Sent + b.Sent, Taken: a.Taken + b.Taken,
		Channels: slices.Clone(a.Channels)}
	for _, g := range b.Channels {
		i, found := slices.BinarySearchFunc(both.Channels, g.Channel, func(have channel.ChannelGap, name string) int {
			return strings.Compare(have.Channel, name)
		})
		if !found {
			both.Channels = slices.Insert(both.Channels, i, g)
			continue
		}
		both.Channels[i].Sent += g.Sent
		both.Channels[i].Taken += g.Taken
		both.Channels[i].Lost += g.Lost
	}
	return both
}
