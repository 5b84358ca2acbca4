package stranger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

func TestStrangerClientOurServer(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(ourHandlers())
	c := w.stranger("alice", LinkConfig{})
	speak(t, c.Link)
	c.Close(400, "enough")
	<-c.Done()
	require.Equal(t, &Error{Code: 400, Text: "enough"}, c.Err())
	require.True(t, c.closeGot)
	require.True(t, plain(c.Link).ended)
}

func TestOurServerCloses(t *testing.T) {
	w := newWorld(t)
	srv := w.serveOurs(ourHandlers())
	c := w.stranger("alice", LinkConfig{})
	require.NoError(t, c.Ping(1))
	s, ok := srv.Session("alice")
	require.True(t, ok)
	require.NoError(t, s.Send(t.Context(), "bye", []byte("last words")))
	m, err := c.Receive()
	require.NoError(t, err)
	require.Equal(t, "last words", string(m.Body))
	require.NoError(t, s.CloseWithReason(channel.CodeKicked, "out"))
	<-c.Done()
	require.Equal(t, &Error{Code: 5, Text: "out", Remote: true}, c.Err())
	require.True(t, plain(c.Link).ended)
}

func TestOurServerReplaces(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(ourHandlers())
	first := w.stranger("alice", LinkConfig{})
	second := w.stranger("alice", LinkConfig{})
	<-first.Done()
	var why *Error
	require.ErrorAs(t, first.Err(), &why)
	require.Equal(t, codeReplaced, why.Code)
	require.NoError(t, second.Ping(1))
}

// Our server asks, sends and opens streams; the stranger's client answers.
func TestStrangerClientAnswers(t *testing.T) {
	w := newWorld(t)
	srv := w.serveOurs(ourHandlers())
	c := w.stranger("alice", LinkConfig{Handlers: theirHandlers()})
	require.NoError(t, c.Ping(1))
	s, ok := srv.Session("alice")
	require.True(t, ok)
	speakOurs(t, s)
}
