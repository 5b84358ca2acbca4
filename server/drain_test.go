package server_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// TestDrain shuts a server down: every client is told when to come back, each another time, and
// then that the server goes down. Who is away is not waited for.
func TestDrain(t *testing.T) {
	const n = 50
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("c", i)
	}
	for name, c := range map[string]struct{ after, least time.Duration }{
		"as a rule":   {0, time.Second},
		"ReturnAfter": {3 * time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inHubOf(t, names, func(s *server.Server) { s.ReturnAfter = c.after }, func(t *testing.T, w *bubble, got *received) {
				members := make([]*member, n)
				for i, name := range names {
					members[i] = w.member(name, nil)
				}
				gone := members[0]
				sess := gone.session()
				gone.cut()
				began := time.Now()
				require.NoError(t, w.Shutdown(t.Context()))
				require.Equal(t, began, time.Now(), "nothing was waited for")
				require.ErrorIs(t, context.Cause(sess.Context()), channel.CodeShutdown)
				at := map[time.Duration]bool{}
				for _, m := range members[1:] {
					d := <-m.retry
					require.GreaterOrEqual(t, d, c.least)
					require.Less(t, d, c.least+n*2*time.Millisecond)
					at[d] = true
					<-m.link.Context().Done()
					require.ErrorIs(t, context.Cause(m.link.Context()), channel.CodeShutdown)
				}
				require.Greater(t, len(at), n/4, "they do not come back at once")
				require.Zero(t, w.Stats().Sessions+w.Stats().Ending+w.Stats().Away)
			})
		})
	}
}

// TestLostInDrain loses a client's connection while the server waits for its handler: the session
// ends then, as nobody is let in to go on with it.
func TestLostInDrain(t *testing.T) {
	var k worker
	inBubble(t, k.setUp(server.Limits{}), func(t *testing.T, w *bubble) {
		m := w.member("alice", nil)
		sess := m.session()
		m.say("x")
		synctest.Wait()
		down := make(chan error, 1)
		go func() { down <- w.Shutdown(context.Background()) }()
		synctest.Wait()
		require.NoError(t, sess.Context().Err())
		m.cut()
		require.Error(t, sess.Context().Err())
		require.Empty(t, down)
		close(k.release)
		require.NoError(t, <-down)
	})
}

// TestDrainAndPipes shuts the server down with a pipe in use: its ends see it end, and nothing that
// was written into it is silently gone.
func TestDrainAndPipes(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		out, err := alice.link.OpenPipe(wire.PipeOpen{Opener: "alice", Target: "bob"})
		require.NoError(t, err)
		_, err = out.Write([]byte("some"))
		require.NoError(t, err)
		in := <-bob.pipes
		synctest.Wait()
		require.NoError(t, w.Shutdown(t.Context()))
		for _, p := range []interface{ Read([]byte) (int, error) }{out, in} {
			b := make([]byte, 10)
			n, err := p.Read(b)
			if err == nil {
				require.Equal(t, "some", string(b[:n]))
				_, err = p.Read(b)
			}
			require.Error(t, err)
			require.NotErrorIs(t, err, context.Canceled)
		}
	})
}
