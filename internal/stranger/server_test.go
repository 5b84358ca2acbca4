package stranger

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// speakOurs uses a connection of the module whose other side has theirHandlers.
func speakOurs(t *testing.T, c channel.Conn) {
	t.Helper()
	ctx := t.Context()
	for _, size := range []int{0, 5, 16384, 16385, 65504, 65505, 1 << 20} {
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

func TestOurClientStrangerServer(t *testing.T) {
	w := newWorld(t)
	links := w.serveTheirs(LinkConfig{Handlers: theirHandlers()})
	c := w.our("alice", nil)
	speakOurs(t, c)
	for _, size := range []int{0, 16385, 1 << 20} {
		body := pattern(size)
		require.NoError(t, c.SendMessage(t.Context(), &channel.Message{Channel: "echo", Encoding: channel.Text, Body: body}))
		m, err := c.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, channel.Text, m.Encoding)
		require.True(t, string(body) == string(m.Body))
	}
	require.NoError(t, c.CloseWithReason(400, "enough"))
	l := <-links
	<-l.Done()
	require.Equal(t, &Error{Code: 400, Text: "enough", Remote: true}, l.Err())
	require.True(t, l.sec.ended)
}

func TestStrangerServerCloses(t *testing.T) {
	w := newWorld(t)
	links := w.serveTheirs(LinkConfig{})
	c := w.our("alice", nil)
	l := <-links
	l.Close(codeLimit, "too much")
	<-c.Context().Done()
	var why *channel.CloseError
	require.ErrorAs(t, context.Cause(c.Context()), &why)
	require.Equal(t, channel.CloseError{Code: channel.CodeLimit, Text: "too much"}, *why)
	<-l.Done()
	require.True(t, l.closeGot)
	require.True(t, l.sec.ended)
}

// The stranger's server speaks to our client's handlers.
func TestStrangerServerSpeaks(t *testing.T) {
	w := newWorld(t)
	links := w.serveTheirs(LinkConfig{})
	c := w.our("alice", ourHandlers())
	run := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { run <- c.Run(ctx) }()
	speak(t, <-links)
	cancel()
	<-run
}
