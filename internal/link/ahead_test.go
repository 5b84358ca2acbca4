package link

import (
	"context"
	"fmt"
	"github.com/pysock/pysock/internal/wire"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
)

// A receiver that allows everything, reads everything and takes nothing does not make a sender keep more than it wants to.
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
					for body := make([]byte, 1001); n < 3*flow.Ahead/1032 && l.Send(ctx, "x", channel.Raw, body[:1000+n%2]) == nil; n++ {
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
