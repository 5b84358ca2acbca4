//go:build linux

package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// fewestCuts is how many there must have been for the scenario to prove something.
const fewestCuts = 30

// cuts sends lines while one of the connections is cut every now and then.
func cuts(ctx context.Context, r *rig) error {
	server, err := r.serveOn(ctx, nil, "127.0.0.1:0", r.keys("server"))
	if err != nil {
		return err
	}
	p := newProxy(server.after)
	defer p.close()
	toListener, err := p.open("listener")
	if err != nil {
		return err
	}
	toSender, err := p.open("sender")
	if err != nil {
		return err
	}
	t := &transfer{r: r, server: server}
	if err := t.begin(ctx, toListener.address, toSender.address); err != nil {
		return err
	}
	ways := map[string]int{}
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for !t.sender.ended() {
		select {
		case <-tick.C:
			if way := p.cut(r.rand); way != "" {
				ways[way]++
			}
		case <-t.sender.done:
		case <-ctx.Done():
			return t.finish(ctx)
		}
	}
	total := 0
	var kinds, sides []string
	for _, way := range slices.Sorted(maps.Keys(ways)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", ways[way], way))
		total += ways[way]
	}
	p.mu.Lock()
	for _, s := range p.sides {
		sides = append(sides, fmt.Sprintf("%d of the %s's %d", s.cuts, s.name, s.accepted))
	}
	p.mu.Unlock()
	r.row("cuts", "%s: %s", strings.Join(sides, ", "), strings.Join(kinds, ", "))
	r.expect(total >= fewestCuts, "%d cuts prove little, there should be %d", total, fewestCuts)
	return t.finish(ctx)
}

// cut ends a random one of the live connections in a random way, and returns which way: "" if there is none.
func (p *proxy) cut(r *rand.Rand) string {
	p.mu.Lock()
	var live []*carried
	for _, c := range p.conns {
		if !c.cut {
			live = append(live, c)
		}
	}
	if len(live) == 0 {
		p.mu.Unlock()
		return ""
	}
	c := live[r.IntN(len(live))]
	c.cut = true
	c.side.cuts++
	p.mu.Unlock()
	switch r.IntN(3) {
	case 0:
		reset(c.client)
		reset(c.server)
		return "reset"
	case 1:
		c.client.Close()
		c.server.Close()
		return "closed"
	default:
		c.mute.Store(true)
		reset(c.client)
		return "left half open"
	}
}
