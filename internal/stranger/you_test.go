package stranger

import (
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/server"
)

// you makes the body of a *self*, section 18, as its text has it.
func you(t *testing.T, fields map[string]any) []byte {
	body, err := channel.Marshal(fields)
	require.NoError(t, err)
	return body
}

// A stranger that has the service hears what our server's application makes of it, and is answered
// with the same when it asks itself.
func TestOurServerTellsWhoYouAre(t *testing.T) {
	allow := func(s *server.Server) { s.AllowRename = func(channel.Peer, string) error { return nil } }
	ashore(t, allow, func(t *testing.T, srv *server.Server, dial func() net.Conn, key []byte) {
		told := make(chan map[string]any, 10)
		read := func(encoding byte, body []byte) map[string]any {
			var self map[string]any
			require.EqualValues(t, 2, encoding)
			require.NoError(t, (&channel.Message{Encoding: channel.CBOR, Body: body}).Decode(&self))
			return self
		}
		c := dialResume(t, dial(), 1, key, LinkConfig{Services: map[string]func(*Message){"you": func(m *Message) {
			require.True(t, m.IsRequest())
			told <- read(m.Encoding, m.Body)
			require.NoError(t, m.Answer(2, []byte{0xa0}))
		}}})
		ses, ok := srv.Session("alice")
		require.True(t, ok)
		require.NoError(t, ses.JoinGroup("b"))
		require.Equal(t, map[string]any{"version": int64(1), "name": "alice", "groups": []any{"b"}}, <-told)
		call, err := c.RequestService("rename", you(t, map[string]any{"name": "queen"}))
		require.NoError(t, err)
		answer, err := call.Wait()
		require.NoError(t, err)
		require.Nil(t, answer.Err)
		queen := map[string]any{"version": int64(2), "name": "queen", "groups": []any{"b"}}
		require.Equal(t, queen, read(answer.Encoding, answer.Body))
		require.Equal(t, queen, <-told)
		synctest.Wait()
		cutOff(t, c)
		require.NoError(t, ses.LeaveGroup("b"))
		synctest.Wait()
		require.Empty(t, told)
		_, err = c.Resume(dial(), false)
		require.NoError(t, err)
		require.Equal(t, map[string]any{"version": int64(3), "name": "queen"}, <-told)
		synctest.Wait() // it is answered, too
		over(c)
	})
}

// A stranger that knows nothing of it refuses, and goes on.
func TestOurServerTellsNobody(t *testing.T) {
	ashore(t, func(s *server.Server) {
		s.Handler = ourHandlers()
	}, func(t *testing.T, srv *server.Server, dial func() net.Conn, key []byte) {
		c := dialResume(t, dial(), 1, key, LinkConfig{})
		ses, ok := srv.Session("alice")
		require.True(t, ok)
		for _, name := range []string{"queen", "king"} {
			require.NoError(t, ses.Rename(name))
			synctest.Wait()
		}
		require.NoError(t, c.Send("echo", 0, []byte("still here")))
		m, err := c.Receive()
		require.NoError(t, err)
		require.Equal(t, "still here", string(m.Body))
		over(c)
	})
}

// Our client is told by the stranger's server, whether it takes messages or not.
func TestOurClientIsTold(t *testing.T) {
	atSite(t, LinkConfig{Handlers: theirHandlers()}, nil, func(t *testing.T, s *site, c *caller) {
		l := <-s.links
		tell := func(fields map[string]any) *Answer {
			call, err := l.RequestService("you", you(t, fields))
			require.NoError(t, err)
			answer, err := call.Wait()
			require.NoError(t, err)
			return answer
		}
		require.Equal(t, &Answer{Encoding: 2, Body: []byte{0xa0}},
			tell(map[string]any{"version": 1, "name": "queen", "groups": []string{"a", "b"}, "unknown": 1}))
		require.Equal(t, "queen", c.Name())
		require.Equal(t, []string{"a", "b"}, c.Groups())
		require.Nil(t, tell(map[string]any{"version": 2, "name": "alice"}).Err)
		require.Equal(t, "alice", c.Name())
		require.Empty(t, c.Groups())
		require.Nil(t, tell(map[string]any{"version": 1, "name": "queen"}).Err, "what is old is no error")
		require.Equal(t, "alice", c.Name())
		require.Equal(t, 20, tell(map[string]any{"version": 3, "name": "a b"}).Err.Code)
	})
}
