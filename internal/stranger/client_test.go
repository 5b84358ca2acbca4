package stranger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// speak uses a link as a sender whose other side has the handlers of world_test.
func speak(t *testing.T, l *Link) {
	t.Helper()
	for _, size := range []int{0, 5, 16384, 16385, 65504, 65505, 1 << 20} {
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

func TestStrangerClientOurServer(t *testing.T) {
	w := newWorld(t)
	w.serveOurs(ourHandlers())
	c := w.stranger("alice", LinkConfig{})
	speak(t, c.Link)
	c.Close(400, "enough")
	<-c.Done()
	require.Equal(t, &Error{Code: 400, Text: "enough"}, c.Err())
	require.True(t, c.closeGot)
	require.True(t, c.sec.ended)
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
	require.True(t, c.sec.ended)
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
