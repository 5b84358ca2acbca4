package client_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

// TestCloseInEachState never hangs.
func TestCloseInEachState(t *testing.T) {
	for name, at := range map[string]struct {
		least, most time.Duration
		put         func(*testing.T, *world, *client.Client)
	}{
		"online":   {0, time.Second, func(*testing.T, *world, *client.Client) {}},
		"resuming": {0, 6 * time.Second, func(t *testing.T, w *world, c *client.Client) { w.net.fail(true); await(t, c, phase(client.Resuming)) }},
		"resumes": {0, time.Second, func(t *testing.T, w *world, c *client.Client) {
			w.net.cut()
			synctest.Wait()
		}},
		"connecting": {0, 0, func(t *testing.T, w *world, c *client.Client) {
			require.NoError(t, w.srv.Shutdown(t.Context()))
			await(t, c, phase(client.Connecting))
		}},
		"attempt": {0, 6 * time.Second, func(t *testing.T, w *world, c *client.Client) {
			w.net.listen("hub:1") // it answers nobody
			w.net.cut()
			await(t, c, func(s client.State) bool { return s.Phase == client.Resuming && s.Retry == 0 })
		}},
		"offline": {0, 0, func(t *testing.T, w *world, c *client.Client) {
			w.dial("alice", nil)
			<-c.Context().Done()
			synctest.Wait()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, nil, "alice", "bob")
				alice := w.dial("alice", nil)
				w.dial("bob", nil)
				p, err := alice.OpenPipe(t.Context(), "bob")
				require.NoError(t, err)
				at.put(t, w, alice)
				begun := time.Now()
				_ = alice.Close() // what it could not say
				require.LessOrEqual(t, time.Since(begun), at.most)
				require.Error(t, p.Send(t.Context(), "x", nil))
				require.Error(t, alice.Send(t.Context(), "x", nil))
				alice.Wait()
				require.Equal(t, client.Offline, alice.State().Phase)
			})
		})
	}
}

// TestCloseHurries does not wait for an attempt that is far away.
func TestCloseHurries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		alice := w.dial("alice", nil)
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		w.net.fail(true)
		<-time.After(30 * time.Second)
		await(t, alice, func(s client.State) bool { return s.Retry > 5*time.Second })
		w.net.fail(false)
		begun := time.Now()
		require.NoError(t, alice.CloseWithReason(300, "bye"))
		require.Less(t, time.Since(begun), time.Second)
		<-sess.Context().Done()
		require.ErrorIs(t, context.Cause(sess.Context()), channel.Code(300))
	})
}

// TestCloseByHandler closes the client in the second session, which waits for no handler.
func TestCloseByHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		alice := w.dial("alice", nil)
		alice.Handle("end", func(ctx context.Context, from channel.Conn, m *channel.Message) error { return from.Close() })
		w.restart(nil)
		await(t, alice, session(2))
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		require.NoError(t, sess.Send(t.Context(), "end", nil))
		require.ErrorIs(t, alice.Run(t.Context()), channel.ErrClosed)
		alice.Wait()
	})
}

// TestCloseComesThrough sends what is to be sent over the next connection.
func TestCloseComesThrough(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w := newWorld(t, func(s *server.Server) { s.Handler.Handle("up", at.take) }, "alice")
		alice := w.dial("alice", nil)
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		w.net.fail(true)
		await(t, alice, phase(client.Resuming))
		for i := range 10 {
			require.NoError(t, alice.Send(ctx, "up", numbered(i, 1000)))
		}
		go func() {
			<-time.After(time.Second)
			w.net.fail(false)
		}()
		require.NoError(t, alice.CloseWithReason(300, "bye"))
		<-sess.Context().Done()
		require.ErrorIs(t, context.Cause(sess.Context()), channel.Code(300))
		synctest.Wait()
		require.Equal(t, upTo(10), at.taken())
	})
}
