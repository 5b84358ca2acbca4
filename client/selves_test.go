package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

// is wants a client to be what its server has made it, in its own view.
func is(t *testing.T, c *client.Client, name string, groups ...string) {
	t.Helper()
	synctest.Wait()
	require.Equal(t, name, c.Name())
	require.Equal(t, strings.Join(groups, " "), strings.Join(c.Groups(), " "))
}

// TestToldByTheServer has the server's application name and group a client: it hears of it, though
// it takes no messages and calls nothing.
func TestToldByTheServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		alice := w.dial("alice", nil)
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		is(t, alice, "alice")
		require.NoError(t, sess.Rename("queen"))
		is(t, alice, "queen")
		require.NoError(t, sess.JoinGroup("b"))
		require.NoError(t, sess.JoinGroup("a"))
		is(t, alice, "queen", "a", "b")
		require.NoError(t, sess.LeaveGroup("b"))
		require.NoError(t, sess.Rename(""))
		is(t, alice, "alice", "a")

		// Over a loss: the session goes on, and what was changed meanwhile comes.
		w.net.fail(true)
		await(t, alice, phase(client.Resuming))
		require.NoError(t, sess.Rename("queen"))
		require.NoError(t, sess.JoinGroup("c"))
		is(t, alice, "alice", "a")
		w.net.fail(false)
		await(t, alice, phase(client.Online))
		is(t, alice, "queen", "a", "c")
		require.Equal(t, 1, alice.State().Session)

		// In a new session nothing of it is left but what the application does again, as here
		// before the client is welcomed.
		w.restart(func(s *server.Server) {
			s.OnJoin = func(sess *server.Session) { _ = errors.Join(sess.JoinGroup("d"), sess.Rename("king")) }
		})
		await(t, alice, session(2))
		is(t, alice, "king", "d")
	})
}

// TestToldWhoIsTransient has groups, which nobody finds it in.
func TestToldWhoIsTransient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(s *server.Server) { s.OnJoin = func(sess *server.Session) { _ = sess.JoinGroup("d") } }, "alice")
		is(t, w.dial("alice", func(c *client.Config) { c.Transient = true }), "alice", "d")
	})
}

// TestToldWhatWasGivenUp gives up joining a group, which the server then lets the client do.
func TestToldWhatWasGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked, answers := make(chan struct{}), make(chan struct{})
		w := newWorld(t, func(s *server.Server) {
			s.AllowGroups = func(channel.Peer, []string) error {
				close(asked)
				<-answers
				return nil
			}
		}, "alice")
		alice := w.dial("alice", nil)
		ctx, cancel := context.WithCancel(t.Context())
		joined := make(chan error, 1)
		go func() { joined <- alice.JoinGroup(ctx, "a") }()
		<-asked
		cancel()
		require.ErrorIs(t, <-joined, context.Canceled)
		is(t, alice, "alice")
		close(answers)
		is(t, alice, "alice", "a")
	})
}

// TestTakenOutAgain leaves a group that the server's application has taken the client out of, also
// when that comes between.
func TestTakenOutAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, allowing, "alice")
		alice := w.dial("alice", func(c *client.Config) { c.Groups = []string{"a", "b"} })
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		require.NoError(t, sess.LeaveGroup("a"))
		require.ErrorIs(t, alice.LeaveGroup(ctx, "a"), channel.CodeUnknownPeer)
		require.Equal(t, []string{"b"}, alice.Groups(), "heard of or not")
		is(t, alice, "alice", "b")

		// It asks for the other one again with the next session, for it has not left that.
		require.NoError(t, sess.LeaveGroup("b"))
		is(t, alice, "alice")
		w.restart(allowing)
		await(t, alice, session(2))
		is(t, alice, "alice", "b")

		// Out of a group as soon as it is in: it does not join again and again.
		w.restart(func(s *server.Server) {
			allowing(s)
			s.OnGroupChange = func(sess *server.Session, group string, joined bool) {
				if joined {
					_ = sess.LeaveGroup(group)
				}
			}
		})
		await(t, alice, session(3))
		for range 3 {
			require.NoError(t, alice.JoinGroup(ctx, "c"))
			is(t, alice, "alice", "b")
		}
	})
}

// TestSelves reads changes as they come, whoever makes them; who reads slowly gets the latest.
func TestSelves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, allowing, "alice")
		alice := w.dial("alice", func(c *client.Config) { c.Groups = []string{"a"} })
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		selves, asked := make(chan client.Self), make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for now := range alice.Selves(ctx) {
				<-asked
				selves <- now
			}
		}()
		next := func(name string, groups ...string) {
			t.Helper()
			synctest.Wait()
			asked <- struct{}{}
			require.Equal(t, client.Self{Name: name, Groups: groups}, <-selves)
		}
		next("alice", "a")
		require.NoError(t, sess.Rename("queen"))
		next("queen", "a")
		require.NoError(t, alice.JoinGroup(ctx, "b"))
		next("queen", "a", "b")
		require.NoError(t, alice.Rename(ctx, "king")) // which it has begun to tell when the next ones come
		synctest.Wait()
		require.NoError(t, sess.Rename("knave"))
		require.NoError(t, sess.LeaveGroup("a"))
		next("king", "a", "b")
		next("knave", "b")
		w.restart(allowing)
		await(t, alice, session(2))
		next("alice", "a", "b")
		require.NoError(t, alice.Close())
		<-done

		stopped, stop := context.WithCancel(ctx)
		stop()
		for range alice.Selves(stopped) {
		}
	})
}

// TestToldInDisorder has what the server tells come after what it answered later, and the other way round.
func TestToldInDisorder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		h := newHub(t)
		var now service.Self
		var no error
		answer(h, service.Rename, func(context.Context, service.NameRequest) (service.Self, error) { return now, no })
		answer(h, service.Leave, func(context.Context, service.GroupRequest) (service.Self, error) {
			tell(t, h, now)
			return service.Self{}, channel.CodeUnknownPeer
		})
		asked := 0
		answer(h, service.Join, func(context.Context, service.GroupRequest) (service.Self, error) {
			asked++
			return service.Self{Version: 5, Name: "queen", Groups: []string{"a", "b"}}, tell(t, h, service.Self{Version: 6, Name: "queen"})
		})
		alice := h.dial(nil)
		now = service.Self{Version: 2, Name: "queen", Groups: []string{"a"}}
		require.NoError(t, alice.Rename(ctx, "queen"))
		is(t, alice, "queen", "a")
		require.NoError(t, tell(t, h, service.Self{Version: 1, Name: "alice", Groups: []string{"b"}}))
		is(t, alice, "queen", "a")
		require.NoError(t, tell(t, h, service.Self{Version: 3, Name: "queen"}))
		is(t, alice, "queen")
		require.NoError(t, alice.Rename(ctx, "queen"), "an older answer")
		is(t, alice, "queen")

		// It was in no group when it was refused, and has been put into one since.
		now = service.Self{Version: 4, Name: "queen", Groups: []string{"a"}}
		require.ErrorIs(t, alice.LeaveGroup(ctx, "a"), channel.CodeUnknownPeer)
		is(t, alice, "queen", "a")

		// It is in a group, and out again before it has heard so: it does not ask again for that.
		require.NoError(t, alice.JoinGroup(ctx, "b"))
		is(t, alice, "queen")
		require.Equal(t, 1, asked)
	})
}

// tell tells a client what it is.
func tell(t *testing.T, h *hub, now any) error {
	body, err := channel.Marshal(now)
	require.NoError(t, err)
	m, err := h.last().RequestService(t.Context(), service.You, body)
	if err == nil {
		require.Equal(t, []byte{0xa0}, m.Body)
		require.Equal(t, channel.CBOR, m.Encoding)
	}
	return err
}

// TestToldNonsense has the server tell what cannot be.
func TestToldNonsense(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		alice := h.dial(nil)
		for name, lie := range map[string]any{
			"no name":         service.Self{Version: 1},
			"an escape":       service.Self{Version: 1, Name: "\x1b[31mqueen"},
			"the server's":    service.Self{Version: 1, Name: "server"},
			"a group":         service.Self{Version: 1, Name: "queen", Groups: []string{"a\nb"}},
			"unsorted groups": service.Self{Version: 1, Name: "queen", Groups: []string{"b", "a"}},
			"too many groups": service.Self{Version: 1, Name: "queen", Groups: strings.Split("abcdefghijklmnopq", "")},
			"a list":          []string{"queen"},
			"nothing":         nil,
			"a long list":     map[string]any{"name": "queen", "groups": make([]struct{}, 1000)},
		} {
			require.ErrorIs(t, tell(t, h, lie), channel.CodeBadMessage, name)
		}
		is(t, alice, "alice")
		require.NoError(t, h.last().Send(t.Context(), "x", channel.Raw, nil))
		require.NoError(t, alice.Context().Err())
	})
}

// TestToldWhileAHandlerRuns has a handler of an earlier session not return: the application gets no
// messages of the next one, and hears all the same what the client is.
func TestToldWhileAHandlerRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		begun, release := make(chan struct{}), make(chan struct{})
		mux := new(channel.Mux)
		mux.Handle("work", func(context.Context, channel.Conn, *channel.Message) error {
			close(begun)
			<-release
			return nil
		})
		alice := h.dial(func(c *client.Config) { c.Handler = mux })
		run, stop := context.WithTimeout(t.Context(), time.Nanosecond)
		defer stop()
		_ = alice.Run(run)
		require.NoError(t, h.last().Send(t.Context(), "work", channel.Raw, nil))
		<-begun
		old := h.last()
		h.net.cut()
		await(t, alice, session(2))
		require.NotSame(t, old, h.last())
		require.NoError(t, tell(t, h, service.Self{Version: 1, Name: "queen"}))
		is(t, alice, "queen")
		close(release)
	})
}

// TestServicesOfTheClientOnly refuses what is no service of a client.
func TestServicesOfTheClientOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		alice := h.dial(func(c *client.Config) {
			c.Handler = new(channel.Mux)
			c.Handler.Fallback(testworld.Echo)
		})
		_, err := h.last().RequestService(t.Context(), service.Lookup, []byte{0xa0})
		require.ErrorIs(t, err, channel.CodeNoHandler)
		require.NoError(t, alice.Context().Err())
	})
}
