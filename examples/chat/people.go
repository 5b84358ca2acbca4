package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// people are those who are connected, as the server tells.
type people struct {
	mu    sync.Mutex
	known map[keys.PublicKey]channel.PeerInfo
}

// note takes what has changed.
func (p *people) note(now channel.PeerInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[keys.PublicKey]channel.PeerInfo{}
	}
	if p.known[now.Key] = now; now.State == channel.Left {
		delete(p.known, now.Key)
	}
}

// in are those in a room, by name.
func (p *people) in(room string) []channel.PeerInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	var there []channel.PeerInfo
	for _, info := range p.known {
		if slices.Contains(info.Groups, room) {
			there = append(there, info)
		}
	}
	slices.SortFunc(there, func(a, b channel.PeerInfo) int { return cmp.Compare(a.Name, b.Name) })
	return there
}

// watch notes who comes and goes, and prints what happens in our rooms, until ctx ends.
func (h *chat) watch(ctx context.Context) {
	for e, err := range h.Presence(ctx) {
		if err != nil {
			return
		}
		if e.Kind == channel.Listed {
			continue
		}
		h.people.note(e.Peer)
		if e.Peer.Key != h.Key() {
			h.tell(e)
		}
	}
}

// tell prints an event, room by room.
func (h *chat) tell(e channel.PresenceEvent) {
	for _, room := range h.Groups() {
		was, is := slices.Contains(e.Before.Groups, room), slices.Contains(e.Peer.Groups, room)
		switch {
		case is && !was:
			fmt.Printf("[%s] %s is here\n", room, e.Peer.Name)
		case was && !is:
			fmt.Printf("[%s] %s has left\n", room, e.Before.Name)
		case !is:
		case e.Kind == channel.Renamed:
			fmt.Printf("[%s] %s is now called %s\n", room, e.Before.Name, e.Peer.Name)
		case e.Kind == channel.WentAway:
			fmt.Printf("[%s] %s has lost the connection\n", room, e.Peer.Name)
		case e.Kind == channel.CameBack:
			fmt.Printf("[%s] %s is back\n", room, e.Peer.Name)
		}
	}
}
