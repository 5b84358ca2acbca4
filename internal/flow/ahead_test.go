package flow

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// boundless is the credit of a receiver that allows everything.
func boundless(t *testing.T) Credit {
	c := NewCredit()
	update(t, &c, 0, math.MaxUint64)
	return c
}

// Whatever the receiver allows, small messages go so far ahead of what is taken and no further.
func TestAhead(t *testing.T) {
	c := boundless(t)
	for range Ahead / Guaranteed {
		require.True(t, c.Reserve(Guaranteed))
	}
	require.False(t, c.Reserve(1))
	w := c.Wait(Guaranteed)
	require.True(t, c.Waiting(), "the receiver is to be asked how far it is")
	_, ok := c.Announce()
	require.False(t, ok)
	update(t, &c, Guaranteed-1, math.MaxUint64)
	require.False(t, ready(w))
	update(t, &c, Guaranteed, math.MaxUint64)
	require.True(t, ready(w))
	require.EqualValues(t, Ahead, c.Sent-c.Taken)
}

func TestAheadLarge(t *testing.T) {
	const large = 2 << 20
	t.Run("several", func(t *testing.T) {
		c := boundless(t)
		for range AheadLarge / large {
			require.True(t, c.Reserve(large))
		}
		require.False(t, c.Reserve(large))
		require.False(t, c.Reserve(1), "that is for large ones")
		update(t, &c, large-AheadLarge%large, math.MaxUint64)
		require.True(t, c.Reserve(large))
	})
	t.Run("one that is larger than all of it", func(t *testing.T) {
		c := boundless(t)
		require.True(t, c.Reserve(large))
		require.True(t, c.Reserve(large))
		require.True(t, c.Reserve(2*AheadLarge))
		require.False(t, c.Reserve(2*AheadLarge))
		update(t, &c, 2*AheadLarge, math.MaxUint64)
		require.True(t, c.Reserve(2*AheadLarge))
	})
	t.Run("announced when it may be begun", func(t *testing.T) {
		c := NewCredit()
		update(t, &c, 0, AheadLarge)
		require.True(t, c.Reserve(AheadLarge))
		w := c.Wait(large)
		_, ok := c.Announce()
		require.False(t, ok)
		require.True(t, c.Waiting())
		update(t, &c, large, AheadLarge+Guaranteed)
		require.False(t, ready(w))
		cost, ok := c.Announce()
		require.True(t, ok)
		require.EqualValues(t, large, cost)
		update(t, &c, large, AheadLarge+large)
		require.True(t, ready(w))
	})
	t.Run("granted to one that was given up", func(t *testing.T) {
		c := NewCredit()
		update(t, &c, 0, AheadLarge)
		require.True(t, c.Reserve(AheadLarge-large))
		first := c.Wait(2 * large)
		require.False(t, ready(first))
		_, ok := c.Announce()
		require.False(t, ok)
		require.True(t, c.Cancel(first))
		require.True(t, c.Reserve(large))
		update(t, &c, AheadLarge-Ahead, AheadLarge)
		first = c.Wait(AheadLarge)
		_, ok = c.Announce()
		require.True(t, ok)
		second := c.Wait(AheadLarge - Ahead)
		third := c.Wait(large)
		require.True(t, c.Cancel(first))
		require.EqualValues(t, Ahead, update(t, &c, AheadLarge-Ahead, 2*AheadLarge), "what is left is given back")
		require.True(t, ready(second))
		require.False(t, ready(third))
		require.True(t, c.Waiting())
	})
}

// While the sender is crowded, those wait that need no announcement, in their order, and it asks
// how far the receiver is.
func TestCrowd(t *testing.T) {
	c := boundless(t)
	c.Crowd(true)
	require.False(t, c.Reserve(1))
	require.True(t, c.Reserve(Guaranteed+1), "there are few of these")
	first, large := c.Wait(1), c.Wait(Guaranteed+1)
	require.True(t, c.Waiting())
	_, ok := c.Announce()
	require.False(t, ok)
	update(t, &c, 1, math.MaxUint64)
	require.False(t, ready(first))
	c.Crowd(false)
	require.True(t, ready(first))
	require.True(t, ready(large))
	require.EqualValues(t, Guaranteed+1, first.At())
}
