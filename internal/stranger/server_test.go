package stranger

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

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
	require.True(t, plain(l).ended)
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
	require.True(t, plain(l).ended)
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
