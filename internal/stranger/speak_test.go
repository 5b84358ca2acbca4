package stranger

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// speak uses a link as a sender whose other side has the handlers of world_test.
func speak(t *testing.T, l *Link) {
	t.Helper()
	for _, size := range []int{0, 5, 16000, 16001, 65504, 65505, 1 << 20} {
		body := pattern(size)
		require.NoError(t, l.Send("echo", 1, body))
		m, err := l.Receive()
		require.NoError(t, err)
		require.Equal(t, "echo", m.Channel)
		require.Equal(t, byte(1), m.Encoding)
		require.True(t, string(body) == string(m.Body))

		call, err := l.Request("ask", 2, body)
		require.NoError(t, err)
		answer, err := call.Wait()
		require.NoError(t, err)
		require.Nil(t, answer.Err)
		require.Equal(t, byte(2), answer.Encoding)
		require.True(t, string(body) == string(answer.Body))
		require.Equal(t, size > 65504, answer.Announced)
	}
	require.NoError(t, l.Flush("echo"))
	require.NoError(t, l.Ping(7))

	call, err := l.Request("fail", 0, nil)
	require.NoError(t, err)
	answer, err := call.Wait()
	require.NoError(t, err)
	require.Equal(t, &Error{Code: 300, Text: "no luck", Remote: true}, answer.Err)

	call, err = l.Request("wait", 0, nil)
	require.NoError(t, err)
	call.Cancel()
	answer, err = call.Wait()
	require.NoError(t, err)
	require.Equal(t, codeCanceled, answer.Err.Code)

	call, err = l.Request("nobody", 0, []byte("x"))
	require.NoError(t, err)
	answer, err = call.Wait()
	require.NoError(t, err)
	require.Equal(t, codeNoHandler, answer.Err.Code)
	var refused *Error
	require.ErrorAs(t, l.Send("nobody", 0, nil), &refused)
	require.Equal(t, codeNoHandler, refused.Code)

	for range 3 {
		require.NoError(t, l.AnnounceAndSkip("take", 1<<20))
		for range 100 {
			require.NoError(t, l.Send("take", 0, pattern(1000)))
		}
		require.NoError(t, l.Flush("take"))
	}
}

// speakOurs uses a connection of the module whose other side has theirHandlers.
func speakOurs(t *testing.T, c channel.Conn) {
	t.Helper()
	ctx := t.Context()
	for _, size := range []int{0, 5, 16000, 16001, 65504, 65505, 1 << 20} {
		body := pattern(size)
		require.NoError(t, c.Send(ctx, "take", body))
		m, err := c.Request(ctx, "ask", body)
		require.NoError(t, err)
		require.True(t, string(body) == string(m.Body))
	}
	// The second of each pair gets credit by a PROBE only: the first is less than half a window.
	for range 5 {
		require.NoError(t, c.Send(ctx, "take", pattern(30_000)))
		require.NoError(t, c.Send(ctx, "take", pattern(60_000)))
	}
	require.NoError(t, c.Flush(ctx))
	_, err := c.Request(ctx, "fail", nil)
	require.ErrorIs(t, err, channel.Code(300))
	short, cancel := context.WithCancel(ctx)
	cancel()
	_, err = c.Request(short, "wait", nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Request(ctx, "nobody", nil)
	require.ErrorIs(t, err, channel.CodeNoHandler)
	pinger, ok := c.(interface {
		Ping(context.Context) (time.Duration, error)
	})
	require.True(t, ok)
	_, err = pinger.Ping(ctx)
	require.NoError(t, err)
}
