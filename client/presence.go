package client

import (
	"container/list"
	"context"
	"iter"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// Presence tells who is connected to the server: first of each that is, as WasHere; then, with an
// event of the kind Listed that has no peer, that these are all; then of each that comes, goes,
// loses its connection, has it again, or has another name or other groups, until ctx ends or the
// loop is left:
//
//	for e, err := range c.Presence(ctx) {
//		if err != nil {
//			return err // the last
//		}
//		if e.Kind == channel.Listed {
//			continue // that was the first list: what follows are changes
//		}
//		log.Printf("%q %v", e.Peer.Name, e.Kind)
//	}
//
// The server tells of those that its policy lets the client see; the client itself may be among
// them. All of it is the server's word. Who wants to know once who is there calls Peers.
//
// A loop that is slow misses what came and went meanwhile, and never what is so in the end; it
// keeps nobody from going on. It costs memory for each peer once. What changes is asked for while a
// loop waits, a few times a second at most, and nothing is asked while none does; several loops
// share what they are told. A loop goes on over lost connections and sessions, also with
// Config.FailOffline: after a loss it is told of what differs from what it was told before. Of a
// peer that has begun a new session that is Went and Came.
//
// The last iteration has a zero event and the error: why the client ended, or a *channel.Error with
// CodeRefused (the server's policy), CodeNoHandler (a server without this service), CodeLimit (more
// than 262,144 peers), or CodeBadMessage that is not Remote for an answer that is none. When ctx
// ends there is no error.
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
	told   map[keys.PublicKey]channel.PeerInfo
	due    list.List                        // of change: who may have changed, in that order
	isDue  map[keys.PublicKey]*list.Element // the same
	begun  bool                             // the first list is over
	listed bool                             // and that has been told
}

// change is a peer that may have changed.
type change struct {
	key  keys.PublicKey
	came bool // if it was not told of it has come: else it was here
}

func newView() *view {
	return &view{told: map[keys.PublicKey]channel.PeerInfo{}, isDue: map[keys.PublicKey]*list.Element{}}
}

// mark notes that a peer may have changed, which is here now or not. Of one that was not told of
// and has left there is nothing to tell: a server that goes on naming such must not fill the memory
// of a slow loop.
func (v *view) mark(key keys.PublicKey, here bool) {
	at, due := v.isDue[key]
	_, known := v.told[key]
	switch {
	case !here && !known:
		if due {
			v.unmark(at)
		}
	case !due:
		v.isDue[key] = v.due.PushBack(change{key, v.begun})
	}
}

// unmark takes a peer from those that may have changed.
func (v *view) unmark(at *list.Element) change {
	c := v.due.Remove(at).(change)
	delete(v.isDue, c.key)
	return c
}

// take gives the events of the next peer that has changed, or that the first list is over; none if
// there is nothing new.
func (v *view) take(peers map[keys.PublicKey]channel.PeerInfo) []channel.PresenceEvent {
	for first := v.due.Front(); first != nil; first = v.due.Front() {
		if first.Value.(change).came && v.ends() {
			break
		}
		c := v.unmark(first)
		before, known := v.told[c.key]
		now, here := peers[c.key]
		if here {
			v.told[c.key] = now
		} else {
			delete(v.told, c.key)
		}
		if events := changes(before, known, now, here, c.came); events != nil {
			return events
		}
	}
	if v.ends() {
		v.listed = true
		return []channel.PresenceEvent{{Kind: channel.Listed}}
	}
	return nil
}

// ends reports whether all of the first list has been told, if nobody of it is due any more, but not that it is over.
func (v *view) ends() bool { return v.begun && !v.listed }

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
	return channel.PresenceEvent{Kind: channel.Went, Peer: channel.PeerInfo{Peer: last, State: channel.Left},
		Before: before}
}
