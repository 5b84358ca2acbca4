package link

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pairOver(t, memnet.Config{Delay: 30 * time.Millisecond}, nil, nil)
		for range 3 {
			took, err := a.Ping(t.Context())
			require.NoError(t, err)
			require.Equal(t, 60*time.Millisecond, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := a.Ping(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		took, err := a.Ping(t.Context())
		require.NoError(t, err)
		require.Equal(t, 60*time.Millisecond, took, "also who joins one that is under way hears what it took")
		require.NoError(t, a.Close(0, ""))
		_, err = a.Ping(t.Context())
		require.ErrorIs(t, err, channel.ErrClosed)
	})
}

// A PONG that comes before its PING was sent is none.
func TestPongTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := againstOver(t, memnet.Config{Buffer: 100}, nil)
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, make([]byte, 1000)))
		synctest.Wait()
		done := make(chan error, 1)
		go func() { _, err := l.Ping(t.Context()); done <- err }()
		synctest.Wait()
		r.write(empty(wire.TypePong, 1))
		synctest.Wait()
		require.Empty(t, done)
		require.Contains(t, r.lines(), "PING 1")
		r.write(empty(wire.TypePong, 1))
		require.NoError(t, <-done)
	})
}
