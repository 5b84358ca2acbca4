//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
)

// Where the hosts of move are.
const (
	serverAddress = "10.77.0.1"
	oldAddress    = "10.77.0.2"
	newAddress    = "10.77.0.3"
)

// move sends lines from a host that gets another address meanwhile. Server and listener are on
// another one, and are told nothing: not one reset comes from the old address.
func move(ctx context.Context, r *rig) error {
	hub, err := newHost(ctx)
	if err != nil {
		return err
	}
	defer hub.close()
	laptop, err := newHost(ctx)
	if err != nil {
		return err
	}
	defer laptop.close()
	if err := hub.wire(ctx, serverAddress+"/24", laptop, oldAddress+"/24"); err != nil {
		return err
	}
	resets, err := countResets(hub, oldAddress)
	if err != nil {
		return err
	}
	defer resets.close()
	server, err := r.serveOn(ctx, hub, serverAddress+":7700", r.keys("server"))
	if err != nil {
		return err
	}
	t := &transfer{r: r, server: server, toHost: laptop}
	if err := t.begin(ctx, server.after, server.after); err != nil {
		return err
	}
	if err := t.middle(ctx); err != nil {
		return err
	}
	if err := laptop.ip(ctx, "addr del "+oldAddress+"/24 dev wire"); err != nil {
		return err
	}
	if err := laptop.ip(ctx, "addr add "+newAddress+"/24 dev wire"); err != nil {
		return err
	}
	r.row("moved", "from %s to %s, after %d lines", oldAddress, newAddress, t.arrivals.count())
	err = t.finish(ctx)
	r.row("packets from the old address", "%d, resets among them %d", resets.packets.Load(), resets.found.Load())
	r.expect(resets.packets.Load() > 0, "no packet of the old address was seen")
	r.expect(resets.found.Load() == 0, "the server was told by a reset")
	return err
}

// rst is the flag in the 14th byte of a TCP header.
const rst = 4

// resets counts the TCP packets with RST that reach a host from an address.
type resets struct {
	socket         *os.File
	from           netip.Addr
	packets, found atomic.Int64
	done           chan struct{}
}

func countResets(h *host, from string) (*resets, error) {
	socket, err := h.listenRaw()
	if err != nil {
		return nil, fmt.Errorf("listening for resets: %w", err)
	}
	c := &resets{socket: socket, from: netip.MustParseAddr(from), done: make(chan struct{})}
	go c.count() // stops with close
	return c, nil
}

func (c *resets) count() {
	defer close(c.done)
	packet := make([]byte, 128) // the rest of a packet is dropped
	for {
		n, err := c.socket.Read(packet)
		if err != nil {
			return
		}
		if n < 20 {
			continue
		}
		header := int(packet[0]&15) * 4
		if n < header+20 || netip.AddrFrom4([4]byte(packet[12:16])) != c.from {
			continue
		}
		c.packets.Add(1)
		if packet[header+13]&rst != 0 {
			c.found.Add(1)
		}
	}
}

func (c *resets) close() {
	c.socket.Close()
	<-c.done
}
