//go:build linux

package main

import (
	"context"
	"strconv"
	"time"
)

// transfer is lines on their way from a sender to a listener, all of which are to arrive once and in order.
type transfer struct {
	r                        *rig
	server, sender, listener *process
	toHost                   *host // the sender's
	feed                     *feed
	arrivals                 *arrivals
	begun                    time.Time
}

// begin starts the listener and the sender, and feeds it.
func (t *transfer) begin(ctx context.Context, listenerTo, senderTo string) (err error) {
	t.feed = t.r.feed()
	t.arrivals = newArrivals(t.feed)
	if t.listener, err = t.r.listenAt(ctx, t.server.host, listenerTo, t.arrivals, "--count",
		strconv.Itoa(t.r.lines)); err != nil {
		return err
	}
	t.arrivals.ended = t.listener.done
	if t.sender, err = t.r.sendTo(ctx, t.toHost, senderTo); err != nil {
		return err
	}
	t.begun = time.Now()
	go t.feed.to(ctx, t.sender.stdin) // stops with ctx or the sender
	return nil
}

// middle waits until half of the lines have arrived.
func (t *transfer) middle(ctx context.Context) error { return t.arrivals.await(ctx, t.r.lines/2) }

// finish waits for the end and judges it.
func (t *transfer) finish(ctx context.Context) error {
	err := t.sender.wait(ctx)
	took := time.Since(t.begun)
	if err == nil && t.sender.code() == 0 {
		err = t.listener.wait(ctx)
	}
	r := t.r
	r.row("duration", "%.1f s", took.Seconds())
	r.row("lines fed", "%d", t.feed.fed.Load())
	t.arrivals.judge(&r.report, true)
	r.row("sender", "%s", t.sender.outcome())
	r.row("listener", "%s", t.listener.outcome())
	r.memory(t.server, t.sender, t.listener)
	r.expect(err != nil || t.sender.code() == 0, "the sender ended with %d", t.sender.code())
	r.expect(err != nil || t.sender.code() != 0 || t.listener.code() == 0, "the listener ended with %d",
		t.listener.code())
	r.expect(!t.server.ended(), "the server has ended: %s", t.server.outcome())
	return err
}

// memory tells the most that each process took.
func (r *rig) memory(all ...*process) {
	text := ""
	for i, p := range all {
		if i > 0 {
			text += ", "
		}
		text += p.name + " " + mib(p.peak.Load())
	}
	r.row("VmHWM", "%s", text)
}
