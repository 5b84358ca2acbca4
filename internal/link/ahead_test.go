package link

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
)

// A receiver that allows everything, reads everything and takes nothing does not make a sender keep
// more than it wants to.
func TestBoundlessCredit(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprint("keep ", keep), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				books := NewBooks(keep)
				l, r := against(t, &Config{Books: books})
				require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
				r.read()
				r.write(credit(1, 0, 1<<62))
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				sent := make(chan int, 1)
				go func() {
					n := 0
					for body := make([]byte, 1001); n < 3*flow.Ahead/1032 && l.Send(ctx, "x", channel.Raw, body[:1000+n/8%2]) == nil; n++ {
					}
					sent <- n
				}()
				var probes []string
				for range 10 {
					for _, line := range r.lines() {
						if line[0] == 'P' {
							probes = append(probes, line)
						}
					}
				}
				state := func() (pushed uint64, kept int) {
					l.mu.Lock()
					defer l.mu.Unlock()
					ch := l.out[wire.KindApplication]["x"]
					return ch.pushed, max(len(ch.costs.q), len(ch.book.kept))
				}
				pushed, kept := state()
				require.Greater(t, pushed, uint64(flow.Ahead-2000))
				require.LessOrEqual(t, pushed, uint64(flow.Ahead))
				require.LessOrEqual(t, kept, flow.Ahead/1032)
				require.Contains(t, probes, fmt.Sprint("PROBE 1 ", pushed), "it asks how far the other side is")
				r.write(credit(1, pushed, 1<<62))
				r.read()
				more, _ := state()
				require.Greater(t, more, pushed, "it goes on")
				cancel()
				require.Greater(t, <-sent, flow.Ahead/1033)
			})
		})
	}
}

// costsOf are the costs of what is under way on the channel "x".
func costsOf(l *Link) *costs { return &l.out[wire.KindApplication]["x"].costs }

// boundless is a link whose other side allows any amount on the channel "x", on which one message is under way.
func boundless(t *testing.T) (*Link, *raw) {
	l, r := against(t, nil)
	require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
	r.read()
	r.write(credit(1, 0, 1<<62))
	synctest.Wait()
	return l, r
}

// fillSizes sends as many messages of so many sizes as there may be, and returns how many that were
// and which PROBE frames came.
func fillSizes(t *testing.T, l *Link, r *raw, sizes int) (n int, probes []string) {
	body := make([]byte, sizes)
	for full := false; ; {
		err := l.TrySend(nil, "x", channel.Raw, body[:n%sizes], false)
		if err == nil {
			full = false
			n++
			continue
		}
		require.ErrorIs(t, err, ErrFull)
		for _, line := range r.lines() { // it may have been the queue
			if line[0] == 'P' {
				probes = append(probes, line)
			}
		}
		if full {
			return n, probes
		}
		full = true
	}
}

// Nor does it make the sender remember more than that many sizes, by which messages are found
// again: it asks in time what is taken, and then waits. Messages of one size may be as many as
// ever.
func TestBoundlessSizes(t *testing.T) {
	t.Run("of many", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := boundless(t)
			n, probes := fillSizes(t, l, r, 3)
			require.GreaterOrEqual(t, n, maxRuns)
			require.LessOrEqual(t, n, maxRuns+3)
			require.LessOrEqual(t, 8*cap(costsOf(l).q), CostsMemory)
			require.Len(t, probes, 1, "it asks, and once")
			var asked uint64
			_, err := fmt.Sscanf(probes[0], "PROBE 1 %d", &asked)
			require.NoError(t, err)
			require.InDelta(t, askRuns*33, asked, 100, "before it has to wait")

			sent := make(chan error, 1)
			go func() { sent <- l.Send(t.Context(), "x", channel.Raw, nil) }()
			synctest.Wait()
			require.Empty(t, sent)
			require.NoError(t, l.Send(t.Context(), "y", channel.Raw, nil), "the others go on")
			r.read()
			r.write(credit(1, asked, 1<<62))
			r.read()
			require.NoError(t, <-sent)

			// Whatever is told of what is taken, the room is as large as it was.
			for i := range 5 * maxRuns {
				r.write(credit(1, asked+uint64(i+1)*20, 1<<62))
				synctest.Wait()
				for l.TrySend(nil, "x", channel.Raw, make([]byte, i%3), false) == nil {
					i++
				}
				if i%100 == 0 {
					r.read()
				}
			}
			require.LessOrEqual(t, costsOf(l).runs(), maxRuns)
			require.LessOrEqual(t, 8*cap(costsOf(l).q), CostsMemory)
		})
	})
	t.Run("of one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := boundless(t)
			n, probes := fillSizes(t, l, r, 1)
			require.Equal(t, flow.Ahead/wire.MessageOverhead-1, n)
			require.Empty(t, probes)
			require.Zero(t, costsOf(l).runs())
		})
	})
	t.Run("within what is guaranteed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := against(t, nil)
			for i := 0; l.TrySend(nil, "x", channel.Raw, make([]byte, i%2), false) == nil; i++ {
				if i%100 == 0 {
					r.read()
				}
			}
			require.Less(t, flow.Guaranteed-l.out[wire.KindApplication]["x"].pushed, uint64(wire.MessageOverhead+1), "credit is what ends")
		})
	})
}
