package flow

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func ready(w *Waiter) bool {
	select {
	case <-w.Ready():
		return true
	default:
		return false
	}
}

func update(t *testing.T, c *Credit, taken, allowed uint64) (skip uint64) {
	t.Helper()
	skip, at, err := c.Update(taken, allowed)
	require.NoError(t, err)
	require.LessOrEqual(t, at+skip, c.Sent)
	return skip
}

func TestReserve(t *testing.T) {
	c := NewCredit()
	require.True(t, c.Reserve(Guaranteed-10))
	require.False(t, c.Reserve(11))
	require.True(t, c.Reserve(10))
	require.False(t, c.Reserve(1))
	require.EqualValues(t, Guaranteed, c.Sent)
}

func TestWaitersKeepTheirOrder(t *testing.T) {
	c := NewCredit()
	require.True(t, c.Reserve(Guaranteed))
	first, second, third := c.Wait(1000), c.Wait(10), c.Wait(10)
	require.True(t, c.Waiting())
	update(t, &c, 500, Guaranteed+500)
	require.False(t, ready(first), "not enough")
	require.False(t, ready(second), "enough, but behind the first")
	require.False(t, c.Reserve(1), "so is this")
	update(t, &c, 1010, Guaranteed+1010)
	require.True(t, ready(first))
	require.True(t, ready(second))
	require.False(t, ready(third))
	require.EqualValues(t, Guaranteed+1010, c.Sent)
	require.True(t, c.Cancel(third))
	require.False(t, c.Waiting())
}

func TestCancelInEveryState(t *testing.T) {
	t.Run("in the middle", func(t *testing.T) {
		c := NewCredit()
		c.Reserve(Guaranteed)
		a, b, d := c.Wait(10), c.Wait(20), c.Wait(30)
		require.True(t, c.Cancel(b))
		require.False(t, c.Cancel(b), "it is gone")
		update(t, &c, 40, Guaranteed+40)
		require.True(t, ready(a))
		require.True(t, ready(d))
		require.False(t, ready(b))
	})
	t.Run("the first lets the next go", func(t *testing.T) {
		c := NewCredit()
		c.Reserve(Guaranteed - 20)
		a, b := c.Wait(30), c.Wait(20)
		require.True(t, c.Cancel(a))
		require.True(t, ready(b))
	})
	t.Run("reserved already", func(t *testing.T) {
		c := NewCredit()
		c.Reserve(Guaranteed)
		a := c.Wait(10)
		update(t, &c, 10, Guaranteed+10)
		require.False(t, c.Cancel(a), "it must be sent")
	})
}

func TestAnnounce(t *testing.T) {
	c := NewCredit()
	_, ok := c.Announce()
	require.False(t, ok, "nobody waits")
	c.Reserve(100)
	w := c.Wait(Guaranteed + 50)
	small := c.Wait(10)
	cost, ok := c.Announce()
	require.True(t, ok)
	require.EqualValues(t, Guaranteed+50, cost)
	_, ok = c.Announce()
	require.False(t, ok, "one at a time")
	require.False(t, c.Waiting(), "the receiver knows")
	require.Zero(t, update(t, &c, 0, Guaranteed+149))
	require.False(t, ready(w))
	require.Zero(t, update(t, &c, 0, Guaranteed+150))
	require.True(t, ready(w))
	require.False(t, ready(small))
	require.True(t, c.Waiting())
}

func TestAnnounceOnlyWhatNeedsIt(t *testing.T) {
	c := NewCredit()
	c.Reserve(Guaranteed)
	w := c.Wait(Guaranteed)
	_, ok := c.Announce()
	require.False(t, ok, "it fits as soon as all was taken")
	require.True(t, c.Cancel(w))
	update(t, &c, 0, 10*Guaranteed)
	require.True(t, c.Reserve(2*Guaranteed), "there is credit")
}

// What is granted to a message that was given up goes to large ones behind it; the rest is skipped,
// because it is not for small ones.
func TestAbandonedAnnouncement(t *testing.T) {
	const large = 50 * Guaranteed
	begin := func() (c Credit) {
		c = NewCredit()
		c.Reserve(1000)
		w := c.Wait(large)
		_, ok := c.Announce()
		require.True(t, ok)
		require.True(t, c.Cancel(w))
		return c
	}
	t.Run("nobody behind", func(t *testing.T) {
		c := begin()
		require.EqualValues(t, large, update(t, &c, 0, 1000+large))
		require.EqualValues(t, 1000+large, c.Sent)
		require.False(t, c.Reserve(1))
		update(t, &c, 1000+large, 1000+large+Guaranteed)
		require.True(t, c.Reserve(Guaranteed))
	})
	t.Run("smaller ones sent since", func(t *testing.T) {
		c := begin()
		require.True(t, c.Reserve(500), "there is credit for it")
		require.EqualValues(t, large-500, update(t, &c, 0, 1000+large), "answered, though less is left than was asked for")
		require.EqualValues(t, 1000+large, c.Sent)
		c.Wait(2 * Guaranteed)
		_, ok := c.Announce()
		require.True(t, ok, "the next")
	})
	t.Run("large ones behind", func(t *testing.T) {
		c := begin()
		second, third := c.Wait(30*Guaranteed), c.Wait(30*Guaranteed)
		_, ok := c.Announce()
		require.False(t, ok)
		require.True(t, c.Waiting())
		require.EqualValues(t, 20*Guaranteed, update(t, &c, 0, 1000+large))
		require.True(t, ready(second))
		require.False(t, ready(third))
		cost, ok := c.Announce()
		require.True(t, ok)
		require.EqualValues(t, 30*Guaranteed, cost)
	})
	t.Run("small ones before a large one", func(t *testing.T) {
		c := begin()
		small, second, third := c.Wait(Guaranteed), c.Wait(30*Guaranteed), c.Wait(Guaranteed)
		require.False(t, ready(small), "1000 are used")
		require.EqualValues(t, 19*Guaranteed, update(t, &c, 1000, 1000+large), "small has what the window has in any case")
		require.True(t, ready(small))
		require.True(t, ready(second))
		require.False(t, ready(third), "it is not what was announced")
		update(t, &c, 1000, 1000+large+Guaranteed)
		require.True(t, ready(third))
	})
	t.Run("more than was asked for", func(t *testing.T) {
		c := begin()
		small := c.Wait(Guaranteed)
		require.EqualValues(t, large, update(t, &c, 0, 1000+large+Guaranteed))
		require.True(t, ready(small), "that is for all")
	})
	t.Run("all used", func(t *testing.T) {
		c := begin()
		second := c.Wait(large)
		require.Zero(t, update(t, &c, 0, 1000+large))
		require.True(t, ready(second))
	})
}

func TestUpdateRefuses(t *testing.T) {
	for name, totals := range map[string][2]uint64{
		"taken goes back":      {99, 2 * Guaranteed},
		"taken beyond sent":    {1001, 2 * Guaranteed},
		"allowed goes back":    {100, 2*Guaranteed - 1},
		"taken beyond allowed": {1 << 63, 1 << 62},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewCredit()
			c.Reserve(1000)
			update(t, &c, 100, 2*Guaranteed)
			before := c
			_, _, err := c.Update(totals[0], totals[1])
			require.ErrorIs(t, err, ErrCredit)
			require.Equal(t, before, c)
		})
	}
}

func TestAllowedWithoutLimit(t *testing.T) {
	c := NewCredit()
	c.Reserve(1000)
	update(t, &c, 0, 1<<64-1)
	require.True(t, c.Reserve(1<<30))
}
