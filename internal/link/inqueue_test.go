package link

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
)

// A channel that has had a burst holds little afterwards.
func TestIdleChannelHoldsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		handled, release := 0, make(chan struct{})
		mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error {
			handled++
			<-release
			return nil
		})
		l, r := against(t, &Config{Mux: &mux})
		l.Run()
		r.write(chFrame(1, "x"), msgFrames(1, 0))
		synctest.Wait() // the handler has it, and all that follows waits
		r.write(repeat(1499, func(i uint32) []byte { return reqFrames(1, i, 0) }))
		synctest.Wait()
		require.GreaterOrEqual(t, cap(l.in[0].queue), longQueue)
		close(release)
		synctest.Wait()
		require.Equal(t, 1500, handled)
		require.LessOrEqual(t, cap(l.in[0].queue)+cap(l.in[0].spare), 4*shortQueue)
	})
}

// What every channel is guaranteed of empty messages, which cost it the most, takes the room of so
// many and not of the longest queue.
func TestGuaranteedMessagesHoldNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		started, release := make(chan struct{}, flow.Guaranteed), make(chan struct{})
		mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error {
			started <- struct{}{}
			<-release
			return nil
		})
		l, r := against(t, &Config{Mux: &mux})
		r.write(chFrame(1, "x"), repeat(flow.Guaranteed/wire.MessageOverhead, func(i uint32) []byte { return reqFrames(1, i, 0) }))
		synctest.Wait()
		require.Len(t, l.in[0].queue, 2048)
		require.Equal(t, 2048, cap(l.in[0].queue))
		l.Run()
		<-started
		close(release)
		synctest.Wait()
		require.Len(t, started, 2047)
		require.LessOrEqual(t, cap(l.in[0].queue)+cap(l.in[0].spare), 4*shortQueue)
	})
}

// A queue goes through all lengths, and keeps what it holds in order.
func TestQueueLengths(t *testing.T) {
	var ch inChan
	lengths := map[int]bool{}
	for i := range uint64(longestQueue + 1) {
		ch.push(inMsg{cost: i})
		lengths[cap(ch.queue)] = true
	}
	for _, want := range queueLengths {
		require.True(t, lengths[want], want)
	}
	for i, m := range ch.queue {
		require.EqualValues(t, i, m.cost)
	}
}
