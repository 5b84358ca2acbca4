//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// feed is numbered lines for a sender.
type feed struct {
	first, last int
	size        int             // of a line
	over        time.Duration   // spread evenly over this; 0 for as fast as they are taken
	hold        <-chan struct{} // until it is closed only the first holdAt lines are written; nil for no such wait
	holdAt      int
	fed         atomic.Int64 // how many were written
}

const filling = "the quick brown fox jumps over the lazy dog, "

// text is the line of a number. It differs from all others in more than its number, so that halves
// of two do not make one.
func (f *feed) text(n int) string {
	head := fmt.Sprintf("%d ", n)
	rest := max(f.size-len(head), 0)
	at := n % len(filling)
	return head + strings.Repeat(filling, rest/len(filling)+2)[at:at+rest]
}

// to writes the lines, each when it is due, and closes w. It ends early when w's reader has gone,
// which is no error: how that ended tells it.
func (f *feed) to(ctx context.Context, w io.WriteCloser) {
	defer w.Close()
	stop := context.AfterFunc(ctx, func() { w.Close() }) // a write that nobody reads ends with it
	defer stop()
	out := bufio.NewWriterSize(w, 64<<10)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	for n := f.first; n <= f.last; {
		due := f.last
		if f.over > 0 {
			due = f.first + int(float64(f.last-f.first+1)*min(1, float64(time.Since(begin))/float64(f.over))) - 1
		}
		if f.hold != nil {
			select {
			case <-f.hold:
				f.hold = nil
			default:
				due = min(due, f.first+f.holdAt-1)
			}
		}
		for ; n <= due; n++ {
			if _, err := out.WriteString(f.text(n) + "\n"); err != nil {
				return
			}
			f.fed.Add(1)
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
