package client

import (
	"context"
	"iter"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// Presence tells who is connected to the server: first of each that is, as WasHere, then of each that comes, goes, loses its connection, has it again, or has another name or other groups, until ctx ends or
// the loop is left:
//
//	for e, err := range c.Presence(ctx) {
//		if err != nil {
//			return err // the last
//		}
//		log.Printf("%q %v", e.Peer.Name, e.Kind)
//	}
//
// The server tells of those that its policy lets the client see; the client itself may be among them. All of it is the server's word. Who wants to know once who is there calls Peers.
//
// A loop that is slow misses what came and went meanwhile, and never what is so in the end; it keeps nobody from going on. It costs memory for each peer once. What changes is asked
// for while a loop waits, a few times a second at most, and nothing is asked while none does; several loops share what they are told. A loop goes on over lost connections and sessions, also with
// Config.FailOffline: after a loss it is told of what differs from what it was told before. Of a peer that has begun a new session that is Went and Came.
//
// The last iteration has a zero event and the error: why the client ended, or a *channel.Error with CodeRefused (the server's policy), CodeNoHandler (a server without this service), CodeLimit (more than 262,144
// peers), or CodeBadMessage that is not Remote for an answer that is none. When ctx ends there is no error.
func (c *Client) Presence(ctx context.Context) iter.Seq2[channel.PresenceEvent, error] {
	return func(yield func(channel.PresenceEvent, error) bool) {
		v := c.roster.enter()
		defer c.roster.leave(v)
		for {
			events, err := c.roster.next(ctx, c, v)
			if err != nil {
				if c.conn.Context().Err() != nil || ctx.Err() == nil {
					yield(channel.PresenceEvent{}, err)
				}
				return
			}
			for _, e := range events {
				if ctx.Err() != nil || !yield(e, nil) {
					return
				}
			}
		}
	}
}

// view is what one loop over Presence was told. It is guarded by its roster's mu.
type view struct {
	told  map[keys.PublicKey]channel.PeerInfo
	due   []keys.PublicKey        // who may have changed, in that order
	isDue map[keys.PublicKey]bool // these, and whether one that was not told of has come: else it was here
	begun bool                    // the first list is over
}

func newView() *view {
	return &view{told: map[keys.PublicKey]channel.PeerInfo{}, isDue: map[keys.PublicKey]bool{}}
}

// mark notes that a peer may have changed.
func (v *view) mark(key keys.PublicKey) {
	if _, due := v.isDue[key]; !due {
		v.isDue[key] = v.begun
		v.due = append(v.due, key)
	}
}

// take gives the events of the next peer that has changed; none if none has.
func (v *view) take(peers map[keys.PublicKey]channel.PeerInfo) []channel.PresenceEvent {
	for len(v.due) > 0 {
		key := v.due[0]
		v.due = v.due[1:]
		came := v.isDue[key]
		delete(v.isDue, key)
		before, known := v.told[key]
		now, here := peers[key]
		if here {
			v.told[key] = now
		} else {
			delete(v.told, key)
		}
		if events := changes(before, known, now, here, came); events != nil {
			return events
		}
	}
	v.due = nil // and not the array that was gone through
	return nil
}

// changes are the events about one peer.
func changes(before channel.PeerInfo, known bool, now channel.PeerInfo, here, came bool) []channel.PresenceEvent {
	kind := channel.WasHere
	switch {
	case !known && !here:
		return nil
	case !known:
		if came {
			kind = channel.Came
		}
		return []channel.PresenceEvent{{Kind: kind, Peer: now}}
	case !here:
		return []channel.PresenceEvent{went(before)}
	case !now.Since.Equal(before.Since):
		return []channel.PresenceEvent{went(before), {Kind: channel.Came, Peer: now}}
	case now.State != before.State:
		kind = channel.CameBack
		if now.State == channel.Away {
			kind = channel.WentAway
		}
	case now.Name != before.Name:
		kind = channel.Renamed
	case !slices.Equal(now.Groups, before.Groups):
		kind = channel.GroupsChanged
	default:
		return nil
	}
	return []channel.PresenceEvent{{Kind: kind, Peer: now, Before: before}}
}

// went is the event of a peer that has left. Its name is the last that it had.
func went(before channel.PeerInfo) channel.PresenceEvent {
	last := channel.Peer{Name: before.Name, Key: before.Key, Unverified: before.Unverified}
	return channel.PresenceEvent{Kind: channel.Went, Peer: channel.PeerInfo{Peer: last, State: channel.Left}, Before: before}
}
