package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff spreads attempts: each wait is random between nothing and a bound that doubles, so that
// many clients that lost the same server do not come back at once.
type backoff struct {
	first, most time.Duration
	n           int // waits since the last reset
}

// next is how long to wait before the next attempt.
func (b *backoff) next() time.Duration {
	bound := b.bound()
	if bound < b.most {
		b.n++ // and no further: what is doubled too often is negative
	}
	return rand.N(bound) + 1
}

// wait waits for the next attempt's time. It reports whether none of the lives ended before.
func (b *backoff) wait(one, other context.Context) bool {
	timer := time.NewTimer(b.next())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-one.Done():
	case <-other.Done():
	}
	return false
}

func (b *backoff) reset() { b.n = 0 }

// bound is what the next wait is shorter than.
func (b *backoff) bound() time.Duration { return min(b.first<<b.n, b.most) }

// atLeast makes the next bound no lower than d.
func (b *backoff) atLeast(d time.Duration) {
	for b.bound() < min(d, b.most) {
		b.n++
	}
}
