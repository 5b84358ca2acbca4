package stranger

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// until waits until a condition about a link holds.
func until(t *testing.T, l *Link, holds func() bool) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !holds() && l.err == nil {
		l.cond.Wait()
	}
	require.NoError(t, l.err)
}

// CREDIT and PROGRESS come unasked when as much was taken and read as the
// document says.
func TestReportsUnasked(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(ourHandlers())
	c := w.stranger("alice", LinkConfig{})
	require.NoError(t, c.Send("take", 0, pattern(initialCredit/2-messageCost)))
	until(t, c.Link, func() bool { return c.out["take"].taken == initialCredit/2 })
	until(t, c.Link, func() bool { return c.progress > 0 })
}

// A side that closes tells exactly what it took: one message of three, for its
// handler has not returned.
func TestTakenAtClose(t *testing.T) {
	w := newWorld(t)
	links := w.serveTheirs(LinkConfig{})
	var mux channel.Mux
	release := make(chan struct{})
	taken := 0
	mux.Handle("slow", func(context.Context, channel.Conn, *channel.Message) error {
		taken++
		<-release
		return nil
	})
	c := w.our("alice", &mux)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = c.Run(t.Context()) })
	l := <-links
	for range 3 {
		require.NoError(t, l.Send("slow", 0, nil))
	}
	require.NoError(t, l.Ping(1))
	wg.Go(func() { _ = c.CloseWithReason(300, "bye") })
	<-l.Done()
	close(release)
	c.Wait()
	require.Equal(t, uint64(taken*messageCost), l.out["slow"].taken)
	require.Equal(t, &Error{Code: 300, Text: "bye", Remote: true}, l.Err())
}
