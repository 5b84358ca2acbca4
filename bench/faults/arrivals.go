//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
)

// arrivals compares the lines that a listener prints with those that were fed.
type arrivals struct {
	feed   *feed
	ended  <-chan struct{} // of the listener; set before await is called
	mu     sync.Mutex
	next   int   // the number that is due
	counts []int // how often each number came
	total  int
	wait   map[chan struct{}]int // closed when so many have come

	twice, late, skipped, strange int
	first                         string // that was strange
}

func newArrivals(f *feed) *arrivals {
	return &arrivals{feed: f, next: f.first, counts: make([]int, f.last+1), wait: map[chan struct{}]int{}}
}

const fromAlice = "alice x "

// line judges a line of pysock listen.
func (a *arrivals) line(printed []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total++
	for reached, n := range a.wait {
		if a.total >= n {
			close(reached)
			delete(a.wait, reached)
		}
	}
	text, ok := bytes.CutPrefix(printed, []byte(fromAlice))
	digits, _, _ := bytes.Cut(text, []byte(" "))
	n, err := strconv.Atoi(string(digits))
	if !ok || err != nil || n < a.feed.first || n > a.feed.last || string(text) != a.feed.text(n) {
		if a.strange++; a.strange == 1 {
			a.first = fmt.Sprintf("%.80q", printed)
		}
		return
	}
	switch {
	case n > a.next:
		a.skipped += n - a.next
		a.next = n + 1
	case n == a.next:
		a.next++
	case a.counts[n] > 0:
		a.twice++
	default:
		a.late++
	}
	a.counts[n]++
}

// await waits until n lines have come.
func (a *arrivals) await(ctx context.Context, n int) error {
	reached := make(chan struct{})
	a.mu.Lock()
	total := a.total
	a.wait[reached] = n
	a.mu.Unlock()
	if total >= n {
		return nil
	}
	select {
	case <-reached:
		return nil
	case <-a.ended:
		if a.count() >= n {
			return nil // both at once
		}
		return fmt.Errorf("the listener has ended after %d lines, before line %d", a.count(), n)
	case <-ctx.Done():
		return fmt.Errorf("only %d lines have come, and not %d: %w", a.count(), n, context.Cause(ctx))
	}
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}

// expectFrom says that the lines from number n on are sent again.
func (a *arrivals) expectFrom(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next = n
}

// times is how many of the numbers from first to last came so often.
func (a *arrivals) times(first, last, often int) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for number := first; number <= last; number++ {
		if a.counts[number] == often {
			n++
		}
	}
	return n
}

// judge reports whether the lines came in order and none twice, and with complete whether all did.
func (a *arrivals) judge(r *report, complete bool) {
	lost := a.times(a.feed.first, a.feed.last, 0)
	a.mu.Lock()
	defer a.mu.Unlock()
	r.row("lines printed", "%d of %d: %d lost, %d twice, %d out of order, %d altered",
		a.total, a.feed.last-a.feed.first+1, lost, a.twice, a.late, a.strange)
	r.expect(!complete || lost == 0, "%d lines are lost", lost)
	r.expect(complete || a.skipped == 0, "%d lines are left out between others", a.skipped)
	r.expect(a.twice == 0, "%d lines came twice", a.twice)
	r.expect(a.late == 0, "%d lines came out of order", a.late)
	r.expect(a.strange == 0, "%d lines were never fed, the first is %s", a.strange, a.first)
}
