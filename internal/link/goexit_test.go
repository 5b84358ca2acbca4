package link

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// TestHandlerEndsItsGoroutine has a handler do what t.FailNow does. The messages behind it are
// handled all the same, and the asker is told.
func TestHandlerEndsItsGoroutine(t *testing.T) {
	ctx := t.Context()
	for _, concurrent := range []int{1, 2} {
		var mux channel.Mux
		got := make(chan string, 10)
		mux.HandleConcurrent("x", concurrent, func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			if string(m.Body) == "exit" {
				runtime.Goexit()
			}
			got <- string(m.Body)
			return nil
		})
		a, b := pair(t, nil, &Config{Mux: &mux})
		for _, text := range []string{"exit", "exit", "exit", "after"} {
			require.NoError(t, a.Send(ctx, "x", channel.Raw, []byte(text)))
		}
		b.Run()
		require.Equal(t, "after", <-got)
		_, err := a.Request(ctx, "x", channel.Raw, []byte("exit"))
		require.ErrorIs(t, err, channel.CodeInternal)
		_, err = a.Request(ctx, "x", channel.Raw, []byte("again"))
		require.NoError(t, err)
		require.Equal(t, "again", <-got)
		b.Quiesce(ctx)
	}
}
