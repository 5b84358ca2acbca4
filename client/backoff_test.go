package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// longest is the longest of many waits that the back-off could choose now, without going on.
func longest(b backoff) (d time.Duration) {
	for range 200 {
		again := b
		d = max(d, again.next())
	}
	return d
}

func TestBackoff(t *testing.T) {
	b := backoff{first: firstWait, most: mostWait}
	for _, bound := range []time.Duration{firstWait, 2 * firstWait, 4 * firstWait} {
		require.LessOrEqual(t, longest(b), bound)
		require.Greater(t, longest(b), bound/2, "full jitter") // all of 200 below half: never
		b.next()
	}
	b.atLeast(downWait)
	require.Greater(t, longest(b), downWait/2)
	require.LessOrEqual(t, longest(b), 2*downWait, "no more than the next step")
	b.atLeast(time.Hour)
	require.LessOrEqual(t, longest(b), mostWait)
	for range 1000 { // as long as a server may be down
		require.LessOrEqual(t, b.next(), mostWait)
		b.atLeast(downWait)
		require.Equal(t, mostWait, b.bound())
	}
	b.reset()
	require.LessOrEqual(t, longest(b), firstWait)
}
