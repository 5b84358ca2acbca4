package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
)

const (
	maxRate  = 10_000
	maxCount = 10_000_000
	// maxAhead is how many messages may be on their way at once. One more waits, and is later for
	// it, but needs no memory.
	maxAhead = 16
)

// load is what is to be sent.
type load struct {
	rate  int // messages a second
	size  int // bytes of one
	count int // messages
}

func (l load) check() error {
	switch {
	case l.rate < 1 || l.rate > maxRate:
		return fmt.Errorf("a rate of %d: give 1 to %d", l.rate, maxRate)
	case l.size < 0 || l.size > 16<<20:
		return fmt.Errorf("messages of %d bytes: give at most 16 MiB", l.size)
	case l.count < 1 || l.count > maxCount:
		return fmt.Errorf("%d messages: give a time that makes it 1 to %d", l.count, maxCount)
	}
	return nil
}

// after is how long it takes until a message is due.
func (l load) after(n int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(l.rate)
}

// send sends each message when it is due, or as soon as the other end has room for it, and returns when all are taken.
func (l load) send(ctx context.Context, to channel.Conn) (*result, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	body := make([]byte, l.size)
	rand.Read(body) // never fails
	r := &result{load: l, late: make([]time.Duration, l.count)}
	var sending sync.WaitGroup
	ahead := make(chan struct{}, maxAhead)
	begin := time.Now()
	for n := range l.count {
		due := begin.Add(l.after(n))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
		}
		select {
		case ahead <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		sending.Go(func() { // stops with SendAcked, which stops with ctx
			if err := to.SendAcked(ctx, "load", body); err != nil {
				fail(err)
			}
			r.late[n] = time.Since(due)
			<-ahead
		})
	}
	sending.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r.took = max(time.Since(begin), l.after(l.count)) // the last message has its time, too
	slices.Sort(r.late)
	return r, nil
}

// result is how it went.
type result struct {
	load
	took time.Duration
	late []time.Duration // how long after it was due each message was taken by the other application, sorted
}

// String has two lines: how much, and how late.
func (r *result) String() string {
	rate := float64(r.count) / r.took.Seconds()
	within := func(percent int) time.Duration {
		return r.late[(r.count*percent+99)/100-1].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%d messages of %d kB taken in %.1f s: %.1f a second, %.1f MB/s\n"+
		"late by at most: half of them %v, 99 %% %v, all %v",
		r.count, r.size/1000, r.took.Seconds(), rate, rate*float64(r.size)/1e6, within(50), within(99), within(100))
}
