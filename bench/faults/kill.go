//go:build linux

package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// Times of kill.
const (
	downTime  = time.Second     // between the server's end and its start
	quietTime = 2 * time.Second // without a line, after which there will be no more
)

// told is what pysock send says when it fails.
var told = regexp.MustCompile(`\((\d+) of (\d+) lines are known to have been taken`)

// kill ends the server without a warning while lines are sent, starts it again, and does what an
// operator would do with what the sender says: send again from there. The listener is to live
// through all of it.
func kill(ctx context.Context, r *rig) error {
	address, err := freePort()
	if err != nil {
		return err
	}
	server, err := r.serveOn(ctx, nil, address, r.keys("server"))
	if err != nil {
		return err
	}
	k := &killed{r: r, address: address, feed: r.feed()}
	k.arrivals = newArrivals(k.feed)
	if k.listener, err = r.listenAt(ctx, nil, address, k.arrivals); err != nil {
		return err
	}
	k.arrivals.ended = k.listener.done
	sender, err := r.sendTo(ctx, nil, address)
	if err != nil {
		return err
	}
	go k.feed.to(ctx, sender.stdin) // stops with ctx or the sender
	if err := k.arrivals.await(ctx, r.lines/2); err != nil {
		return err
	}
	r.row("server killed", "after %d lines", k.arrivals.count())
	server.kill()
	pause(ctx, downTime)
	if server, err = r.serveOn(ctx, nil, address, r.keys("server")); err != nil {
		return err
	}
	if err := sender.wait(ctx); err != nil {
		return err
	}
	taken, err := k.judge(ctx, sender)
	if err != nil {
		return err
	}
	if err := k.sendAgain(ctx, taken); err != nil {
		return err
	}
	r.memory(server, sender, k.listener)
	return nil
}

// killed is what kill has under way.
type killed struct {
	r        *rig
	address  string
	feed     *feed
	arrivals *arrivals
	listener *process
}

// judge compares what the sender says with what the listener has printed, and returns the number that the sender says.
func (k *killed) judge(ctx context.Context, sender *process) (taken int, err error) {
	r := k.r
	printed, err := k.settled(ctx)
	if err != nil {
		return 0, err
	}
	r.row("sender", "%s", sender.outcome())
	if sender.code() == 0 {
		// It has ridden over the loss, which it may.
		k.arrivals.judge(&r.report, true)
		return k.feed.last, nil
	}
	k.arrivals.judge(&r.report, false)
	numbers := told.FindStringSubmatch(sender.message())
	if sender.code() != 1 || numbers == nil {
		return 0, fmt.Errorf("the sender ended with %d and does not say how many lines are known to have been taken",
			sender.code())
	}
	if taken, err = strconv.Atoi(numbers[1]); err != nil {
		return 0, err
	}
	r.row("known to have been taken", "%d, and %d were printed: the sender does not know of %d", taken, printed,
		printed-taken)
	r.expect(taken <= printed, "the sender says that %d lines were taken, and %d were", taken, printed)
	if k.listener.ended() {
		return 0, fmt.Errorf("the listener has ended: %s", k.listener.outcome())
	}
	return taken, nil
}

// settled waits until no line has come for a while, and returns how many have.
func (k *killed) settled(ctx context.Context) (int, error) {
	for before := -1; ; {
		now := k.arrivals.count()
		if now == before {
			return now, nil
		}
		before = now
		if pause(ctx, quietTime); ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
}

// sendAgain sends what is not known to have been taken, and ends the listener. The lines that the
// first sender did not know of come a second time, and no others.
func (k *killed) sendAgain(ctx context.Context, taken int) error {
	r := k.r
	printed := k.arrivals.count()
	if taken < k.feed.last {
		k.arrivals.expectFrom(taken + 1)
		again, err := r.sendTo(ctx, nil, k.address, "--again") // the listener may not be back yet
		if err != nil {
			return err
		}
		rest := &feed{first: taken + 1, last: k.feed.last, size: k.feed.size}
		rest.to(ctx, again.stdin)
		if err := again.wait(ctx); err != nil {
			return err
		}
		r.row("sender of the rest", "%s, from line %d", again.outcome(), taken+1)
		r.expect(again.code() == 0, "the sender of the rest ended with %d", again.code())
	}
	if err := k.listener.signal(syscall.SIGINT); err != nil {
		return err
	}
	if err := k.listener.wait(ctx); err != nil {
		return err
	}
	k.arrivals.judge(&r.report, true)
	r.row("listener", "%s", k.listener.outcome())
	r.row("came a second time", "%d lines", k.arrivals.times(k.feed.first, k.feed.last, 2))
	r.expect(k.listener.code() == 0, "the listener ended with %d", k.listener.code())
	twice := k.arrivals.times(taken+1, printed, 2)
	r.expect(taken == k.feed.last || twice == printed-taken,
		"%d of the %d lines that were printed and sent again came a second time", twice, printed-taken)
	return nil
}
