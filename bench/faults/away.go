//go:build linux

package main

import (
	"context"
	"strconv"

	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

const (
	longLine  = 64 << 10 // of away, in bytes
	firstFew  = 16       // lines that arrive before the listener is away
	lineQueue = 1 << 20  // what a link queues before Send waits
	window    = 4 << 20  // what a channel may have under way
	longest   = 16 << 20 // of a line
)

// most is what a side may grow by: the server what server.Limits say of two sessions; the sender
// what it keeps until it is acknowledged, what is queued and under way, and a line that is being
// read, twice because the garbage collector lets the heap double.
var most = struct{ server, sender int64 }{
	server: server.Limits{MaxSessions: 2, MaxHandshakes: 1}.Memory(),
	sender: 2 * (client.DefaultResumeBuffer + lineQueue + window + longest),
}

// away takes the listener's network away for longer than the server's grace time while it is
// offered much. In the end the sender is to say how much was taken.
func away(ctx context.Context, r *rig) error {
	hub, err := r.serveOn(ctx, nil, "127.0.0.1:0", r.keys("server"))
	if err != nil {
		return err
	}
	p := newProxy(hub.after)
	defer p.close()
	toListener, err := p.open("listener")
	if err != nil {
		return err
	}
	gone := make(chan struct{})
	lines := &feed{first: 1, last: int(r.offer / longLine), size: longLine - 1, hold: gone, holdAt: firstFew}
	a := newArrivals(lines)
	listener, err := r.listenAt(ctx, nil, toListener.address, a)
	if err != nil {
		return err
	}
	a.ended = listener.done
	sender, err := r.sendTo(ctx, nil, hub.after)
	if err != nil {
		return err
	}
	go lines.to(ctx, sender.stdin) // stops with ctx or the sender
	if err := a.await(ctx, firstFew); err != nil {
		return err
	}
	pause(ctx, quietTime)
	before := [2]int64{hub.peak.Load(), sender.peak.Load()}
	toListener.hole.Store(true)
	close(gone)
	pause(ctx, r.away)
	taken := lines.fed.Load() * longLine
	r.row("offered", "%s while the listener was away, of which the sender read %s", mib(r.offer), mib(taken))
	r.expect(taken < r.offer, "everything was taken: nobody was away")
	r.row("sender then", "%s", sender.outcome())
	err = sender.wait(ctx)
	r.row("sender in the end", "%s", sender.outcome())
	a.judge(&r.report, false)
	r.growth(hub, before[0], most.server)
	r.growth(sender, before[1], most.sender)
	r.expect(!hub.ended(), "the server has ended: %s", hub.outcome())
	if err != nil {
		return err
	}
	numbers := told.FindStringSubmatch(sender.message())
	r.expect(sender.code() == 1 && numbers != nil,
		"the sender does not say how many lines are known to have been taken")
	if numbers != nil {
		n, err := strconv.Atoi(numbers[1])
		r.expect(err == nil && n <= a.count(), "the sender says that %s lines were taken, and %d were", numbers[1],
			a.count())
	}
	return nil
}

// growth judges how much more memory than before a process has had.
func (r *rig) growth(p *process, before, allowed int64) {
	now := p.peak.Load()
	r.row("VmHWM of the "+p.name, "%s, %s before: grown by %s of at most %s", mib(now), mib(before), mib(now-before),
		mib(allowed))
	r.expect(now-before <= allowed, "the %s has grown by %s, which is more than %s", p.name, mib(now-before),
		mib(allowed))
}
