package client_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// TestCloseInEachState never hangs.
func TestCloseInEachState(t *testing.T) {
	for name, at := range map[string]struct {
		least, most time.Duration
		put         func(*testing.T, *world, *client.Client)
	}{
		"online": {0, time.Second, func(*testing.T, *world, *client.Client) {}},
		"resuming": {0, 6 * time.Second, func(t *testing.T, w *world, c *client.Client) {
			w.net.fail(true)
			await(t, c, phase(client.Resuming))
		}},
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

// TestCloseTells sends what never leaves, because the network is down for good, or leads nowhere
// and nobody has noticed: Close says so.
func TestCloseTells(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *network, *client.Client){
		"down": func(t *testing.T, n *network, c *client.Client) {
			n.fail(true)
			await(t, c, phase(client.Resuming))
		},
		"a black hole": func(_ *testing.T, n *network, _ *client.Client) { n.silence() },
	} {
		for _, mode := range []client.Delivery{client.AtMostOnce, client.AtLeastOnce} {
			for _, piped := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, delivery %d, pipe %v", name, mode, piped), func(t *testing.T) {
					bubble(t, func(t *testing.T) { testCloseTells(t, lose, mode, piped) })
				})
			}
		}
	}
}

func testCloseTells(t *testing.T, lose func(*testing.T, *network, *client.Client), mode client.Delivery, piped bool) {
	ctx := t.Context()
	var at record
	w := newWorld(t, func(s *server.Server) { s.Handler.Handle("up", at.take) }, "alice", "bob")
	alices, forAlice := w.apart()
	alice := w.dial("alice", func(c *client.Config) {
		forAlice(c)
		c.Delivery = mode
	})
	bob := w.dial("bob", nil)
	bob.Handle("up", at.take)
	go bob.Run(ctx)
	var conn channel.Conn = alice
	if piped {
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		conn = p
	}
	require.NoError(t, conn.SendAcked(ctx, "up", numbered(0, 0)))
	lose(t, alices, alice)
	for i := 1; i < 4; i++ {
		require.NoError(t, conn.Send(ctx, "up", numbered(i, 1000)))
	}
	begun := time.Now()
	err := conn.Close()
	var gap *channel.GapError
	require.ErrorAs(t, err, &gap)
	require.Equal(t, []channel.ChannelGap{{Channel: "up", Sent: 4, Taken: 1, Lost: 3}}, gap.Channels)
	require.ErrorAs(t, err, new(*channel.LostError))
	require.Equal(t, wire.CloseTimeout, time.Since(begun))
	require.NoError(t, conn.Close(), "again")
	require.Equal(t, upTo(1), at.taken())
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
			<-time.After(100 * time.Millisecond) // after a second the random waits may be too long for Close
			w.net.fail(false)
		}()
		require.NoError(t, alice.CloseWithReason(300, "bye"))
		<-sess.Context().Done()
		require.ErrorIs(t, context.Cause(sess.Context()), channel.Code(300))
		synctest.Wait()
		require.Equal(t, upTo(10), at.taken())
	})
}

// TestCloseContext has a peer that is silent: when ctx ends the server hears of it at once, and
// keeps nothing. Without ctx the pipe is waited for.
func TestCloseContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice", "bob")
		alice := w.dial("alice", nil)
		bobs, forBob := w.apart()
		w.dial("bob", forBob)
		p, err := alice.OpenPipe(t.Context(), "bob")
		require.NoError(t, err)
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		bobs.silence()
		bobs.deafen()
		require.NoError(t, p.Send(t.Context(), "up", make([]byte, 1000)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		require.NoError(t, alice.CloseContext(ctx, 300, "bye"))
		require.Equal(t, time.Second, time.Since(begun))
		alice.Wait()
		<-sess.Context().Done()
		require.ErrorIs(t, context.Cause(sess.Context()), channel.Code(300))
		synctest.Wait()
		stats := w.srv.Stats()
		require.Equal(t, 1, stats.Sessions, "bob's")
		require.Zero(t, stats.Away+stats.Ending+stats.Pipes)
	})
}

// TestCloseContextOffline does not wait longer for a connection that is lost.
func TestCloseContextOffline(t *testing.T) {
	for _, piped := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, nil, "alice", "bob")
			alice := w.dial("alice", nil)
			w.dial("bob", nil)
			if piped {
				_, err := alice.OpenPipe(t.Context(), "bob")
				require.NoError(t, err)
			}
			w.net.fail(true)
			await(t, alice, phase(client.Resuming))
			require.NoError(t, alice.Send(t.Context(), "up", nil))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begun := time.Now()
			require.ErrorAs(t, alice.CloseContext(ctx, channel.CodeClosed, ""), new(*channel.GapError))
			require.Equal(t, time.Second, time.Since(begun))
			alice.Wait()
		})
	}
}
