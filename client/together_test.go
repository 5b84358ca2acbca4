package client_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

// allowing is a server that allows all that is denied by default, but groups whose name begins with "secret".
func allowing(s *server.Server) {
	s.AllowRename = func(channel.Peer, string) error { return nil }
	s.AllowGroups = func(_ channel.Peer, groups []string) error {
		if slices.ContainsFunc(groups, func(g string) bool { return strings.HasPrefix(g, "secret") }) {
			return channel.CodeRefused
		}
		return nil
	}
	s.AllowLeave = func(channel.Peer, string) error { return nil }
	s.AllowGroupSend = func(channel.Peer, string, *channel.Message) error { return nil }
}

// TestDeniedByDefault asks for what a server does not allow unless it says so.
func TestDeniedByDefault(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		alice := w.dial("alice", nil)
		require.ErrorIs(t, alice.Rename(ctx, "queen"), channel.CodeRefused)
		require.ErrorIs(t, alice.JoinGroup(ctx, "a"), channel.CodeRefused)
		require.ErrorIs(t, alice.LeaveGroup(ctx, "a"), channel.CodeRefused)
		_, err := alice.Group("a").Send(ctx, "x", nil)
		require.ErrorIs(t, err, channel.CodeRefused)
		_, err = alice.History(ctx, "chat", 0, 0)
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		_, err = alice.Lookup(ctx, "nobody")
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		_, err = alice.Lookup(ctx, "bob")
		require.ErrorIs(t, err, channel.CodeNotConnected)
		require.Equal(t, "alice", alice.Name())
		require.Empty(t, alice.Groups())
	})
}

// TestNameAndGroupsOverLosses keeps both over a lost connection, and the groups over a restart.
func TestNameAndGroupsOverLosses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, allowing, "alice", "bob")
		w.files["bob"].Peers["queen"] = w.files["alice"].Public
		alice, bob := w.dial("alice", nil), w.dial("bob", nil)
		require.NoError(t, alice.Rename(ctx, "queen"))
		require.ErrorIs(t, alice.Rename(ctx, "bob"), channel.CodeNameTaken)
		require.NoError(t, alice.JoinGroup(ctx, "b"))
		require.NoError(t, alice.JoinGroup(ctx, "a"))
		require.ErrorIs(t, alice.JoinGroup(ctx, "secrets"), channel.CodeRefused)
		require.NoError(t, bob.JoinGroup(ctx, "a"))
		info, err := bob.Lookup(ctx, "queen")
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, info.Groups)
		require.Equal(t, alice.Key(), info.Key)
		require.False(t, info.Unverified, "bob has her key for it")
		byOwn, err := bob.Lookup(ctx, "alice")
		require.NoError(t, err)
		require.Equal(t, info, byOwn, "with the present name")

		// Pipes may be opened to both names, and come from the key's own.
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		require.Equal(t, "alice", q.Peer().Name)
		for _, name := range []string{"alice", "queen"} {
			r, err := bob.OpenPipe(ctx, name)
			require.NoError(t, err)
			require.Equal(t, name, r.Peer().Name)
		}

		w.net.cut()
		report, err := alice.Group("a").Send(ctx, "chat", []byte("hello"))
		require.NoError(t, err)
		require.NoError(t, report.Err())
		require.Equal(t, 1, report.Reached)
		m, err := bob.Receive(ctx, "chat")
		require.NoError(t, err)
		require.Equal(t, "hello", string(m.Body))
		require.Equal(t, "queen", m.From.Name)
		require.Equal(t, "a", m.Group)
		require.True(t, m.From.Unverified)
		require.Equal(t, "queen", alice.Name())
		require.Equal(t, []string{"a", "b"}, alice.Groups())
		require.NoError(t, alice.LeaveGroup(ctx, "b"))

		w.restart(allowing)
		await(t, alice, session(2))
		await(t, bob, session(2))
		require.Equal(t, "alice", alice.Name())
		require.Equal(t, []string{"a"}, alice.Groups())
		sess, ok := w.srv.Session("alice")
		require.True(t, ok)
		require.Equal(t, []string{"a"}, sess.Groups())
		reopened(ctx, p)
		require.NoError(t, p.Send(ctx, "x", nil))
		_, err = q.Receive(ctx)
		require.NoError(t, err)

		// The application may know of more.
		require.NoError(t, sess.JoinGroup("secrets"))
		require.NoError(t, alice.JoinGroup(ctx, "c"))
		require.Equal(t, []string{"a", "c", "secrets"}, alice.Groups())
		w.restart(allowing)
		await(t, alice, session(3))
		require.Equal(t, []string{"a", "c"}, alice.Groups(), "what the application has done it does again")

		// A server that does not allow groups any more.
		w.restart(nil)
		s := await(t, alice, ended)
		require.ErrorIs(t, s.Err, channel.CodeRefused)
	})
}

// told follows a history in the background.
func told(ctx context.Context, c *client.Client, name string) <-chan string {
	news := make(chan string, 100)
	go func() {
		for e, err := range c.Follow(ctx, name, 0) {
			if err != nil {
				news <- err.Error()
				continue
			}
			news <- e.Message.From.Name + ": " + string(e.Message.Body)
		}
	}()
	return news
}

// TestPresenceAndHistory follows both over a lost connection and a restarted server.
func TestPresenceAndHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		history := func(s *server.Server) {
			allowing(s)
			s.Histories = map[string]*channel.History{"news": channel.NewHistory(channel.HistoryConfig{Count: 3})}
		}
		w := newWorld(t, history, "alice", "bob", "carol")
		alice := w.dial("alice", nil)
		news := told(ctx, alice, "news")
		say := func(words ...string) {
			for _, word := range words {
				_, err := w.srv.Broadcast(ctx, "news", []byte(word))
				require.NoError(t, err)
			}
		}
		seen := watch(t, ctx, alice)
		defer seen.stop()
		seen.sees("alice was here")
		seen.sees("listed")
		bob := w.dial("bob", nil)
		seen.sees("bob came")
		require.NoError(t, bob.Rename(ctx, "robert"))
		seen.sees("robert renamed from bob")
		require.NoError(t, bob.JoinGroup(ctx, "a"))
		seen.sees("robert groups changed [] [a]")
		say("one", "two")
		require.Equal(t, "server: one", <-news)
		require.Equal(t, "server: two", <-news)

		synctest.Wait() // alice waits for more
		w.net.fail(true)
		say("three") // which is what she gets
		synctest.Wait()
		say("four", "five", "six", "seven", "eight")
		w.net.fail(false)
		w.dial("carol", nil)
		for _, want := range []string{"server: three", `2 entries of the history "news" are missing`, "server: six", "server: seven",
			"server: eight"} {
			require.Equal(t, want, <-news)
		}
		for e, err := range alice.Presence(ctx) {
			require.NoError(t, err)
			if e.Peer.Name == "carol" {
				break
			}
		}
		require.NoError(t, bob.Close())
		var last channel.PresenceEvent
		for last.Kind != channel.Went {
			var err error
			last, err, _ = seen.next()
			require.NoError(t, err)
		}
		require.Equal(t, "robert", last.Peer.Name)
		require.Equal(t, channel.Left, last.Peer.State)

		w.restart(history)
		await(t, alice, session(2))
		say("nine")
		require.Equal(t, `the history "news" began anew: what is missing is not known`, <-news)
		require.Equal(t, "server: nine", <-news)
		stopped, stop := context.WithCancel(ctx)
		names := map[string]bool{}
		for e, err := range alice.Presence(stopped) {
			require.NoError(t, err)
			if names[e.Peer.Name] = true; names["alice"] && names["carol"] {
				break
			}
		}
		stop()
		require.NoError(t, alice.Close())
		require.Equal(t, channel.ErrClosed.Error(), <-news)
	})
}

// TestManyFollowers has more loops follow histories than a server lets wait.
func TestManyFollowers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, func(s *server.Server) {
			s.Histories = map[string]*channel.History{"news": channel.NewHistory(channel.HistoryConfig{})}
		}, "alice")
		alice := w.dial("alice", nil)
		const loops = 12
		read := make(chan string, loops)
		for range loops {
			go func() {
				for e, err := range alice.Follow(ctx, "news", 0) {
					if err == nil {
						read <- string(e.Message.Body)
					}
				}
			}()
		}
		for _, word := range []string{"one", "two"} {
			_, err := w.srv.Broadcast(ctx, "news", []byte(word))
			require.NoError(t, err)
			for range loops {
				require.Equal(t, word, <-read)
			}
		}
		_, err := alice.History(ctx, "news", 0, 0)
		require.NoError(t, err)
		require.NoError(t, alice.Close())
	})
}
