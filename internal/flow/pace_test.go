package flow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// drive sends as much as the pace allows over a path on which n bytes take way(n) there and back,
// and returns the room that it ends with.
func drive(p *Pace, now *time.Time, rounds int, way func(n int) time.Duration) int {
	for range rounds {
		n := p.Room()
		p.Wrote(n, *now)
		p.Room() // what else there is has to wait
		*now = now.Add(way(n))
		if p.Progress(p.Sent, *now) != nil {
			panic("the totals are right")
		}
	}
	return p.Room()
}

func TestPace(t *testing.T) {
	long := func(int) time.Duration { return 100 * time.Millisecond }
	short := func(int) time.Duration { return 50 * time.Microsecond }
	queue := func(n int) time.Duration { return 10*time.Millisecond + time.Duration(n)*100*time.Nanosecond }

	p, now := NewPace(), time.Unix(1e9, 0)
	require.Equal(t, MinFlight, drive(&p, &now, 1000, short))

	p = NewPace()
	require.Equal(t, MaxFlight, drive(&p, &now, 20, long))
	require.Less(t, drive(&p, &now, 3, func(int) time.Duration { return time.Second }), MaxFlight, "the way got longer")
	drive(&p, &now, 300, func(int) time.Duration { return time.Second })
	require.Equal(t, MaxFlight, drive(&p, &now, 300, func(int) time.Duration { return time.Second }), "for good, and that is no queue")

	p = NewPace()
	require.LessOrEqual(t, drive(&p, &now, 300, queue), 1<<20, "a queue of our own making is no distance")
}

func TestPaceOnlyGrowsWhenItLimits(t *testing.T) {
	p, now := NewPace(), time.Unix(1e9, 0)
	for range 100 {
		p.Room()
		p.Wrote(100, now)
		p.Room()
		now = now.Add(100 * time.Millisecond)
		require.NoError(t, p.Progress(p.Sent, now))
	}
	require.Equal(t, MinFlight, p.Room())
}

func TestPaceRefuses(t *testing.T) {
	p := NewPace()
	p.Wrote(1000, time.Unix(1e9, 0))
	require.NoError(t, p.Progress(500, time.Unix(1e9, 0)))
	require.NoError(t, p.Progress(500, time.Unix(1e9, 0)))
	require.ErrorIs(t, p.Progress(499, time.Unix(1e9, 0)), ErrCredit)
	require.ErrorIs(t, p.Progress(1001, time.Unix(1e9, 0)), ErrCredit)
	require.Equal(t, MinFlight-500, p.Room())
	p.Wrote(MinFlight, time.Unix(1e9, 0))
	require.Zero(t, p.Room())
}
