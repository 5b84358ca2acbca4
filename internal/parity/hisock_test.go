package parity_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// `start_server`, `connect(addr, name, group)`: construct, with a name and groups.
func TestHiSock_Connect(t *testing.T) {
	w := hub(t, nil, "alice")
	alice := w.Dial("alice", func(c *client.Config) { c.Groups = []string{"players", "admins"} })
	require.Equal(t, "alice", alice.Name())
	require.Equal(t, []string{"admins", "players"}, alice.Groups())
	require.Equal(t, []string{"admins", "players"}, session(t, w, "alice").Groups())
}

// `Threaded*` variants, `start(callback, error_handler)`: hooks for each message and each error; a
// panic in a handler never ends the server.
func TestHiSock_Threaded(t *testing.T) {
	w := hub(t, nil, "alice")
	mux := w.Server.Handler
	seen, failed := make(chan string, 10), make(chan channel.ErrorEvent, 10)
	mux.Use(func(next channel.Handler) channel.Handler { // the callback
		return func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			seen <- m.From.Name + " on " + m.Channel
			return next(ctx, from, m)
		}
	})
	mux.OnError(func(e channel.ErrorEvent) { failed <- e })
	mine := errors.New("mine")
	mux.Handle("fails", func(context.Context, channel.Conn, *channel.Message) error { return mine })
	mux.Handle("panics", func(context.Context, channel.Conn, *channel.Message) error { panic("oh") })
	channel.Of[int]("typed").Handle(mux, func(context.Context, channel.Conn, int) error { return nil })
	mux.Handle("test", testworld.Echo)

	alice := w.Dial("alice", nil)
	event := func(name string, m *channel.Message) channel.ErrorEvent {
		m.Channel = name
		require.NoError(t, alice.SendMessage(t.Context(), m))
		require.Equal(t, "alice on "+name, next(t, seen))
		e := next(t, failed)
		require.Equal(t, name, e.Message.Channel)
		require.Equal(t, "alice", e.Message.From.Name)
		return e
	}
	require.ErrorIs(t, event("fails", &channel.Message{}).Err, mine)
	var panicked *channel.PanicError
	require.ErrorAs(t, event("panics", &channel.Message{}).Err, &panicked)
	require.Equal(t, "oh", panicked.Value)
	var bad *channel.DecodeError
	require.ErrorAs(t, event("typed", &channel.Message{Encoding: channel.Text, Body: []byte("twelve")}).Err, &bad)
	m, err := alice.Request(t.Context(), "test", []byte("x"))
	require.NoError(t, err)
	require.Equal(t, "x", string(m.Body))
}

// `@on(cmd, threaded, override)`: a handler for each command. Events have a namespace of their own,
// so nothing has to be overridden.
func TestHiSock_On(t *testing.T) {
	joined := make(chan string, 1)
	w := hub(t, func(s *server.Server) { s.OnJoin = func(s *server.Session) { joined <- s.Peer().Name } }, "alice")
	came := make(inbox, 1)
	events := []string{"join", "leave", "message", "name_change", "group_change", "presence", "rename", "history"}
	for _, name := range events {
		w.Server.Handler.Handle(name, came.take)
	}
	var both atomic.Int32
	meet := make(chan struct{})
	w.Server.Handler.HandleConcurrent("threaded", 2, func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
		if both.Add(1) == 2 {
			close(meet)
		}
		select {
		case <-meet:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	alice := w.Dial("alice", nil)
	require.Equal(t, "alice", next(t, joined))
	for _, name := range events {
		require.NoError(t, alice.Send(t.Context(), name, []byte("just a channel")))
		m := came.next(t)
		require.Equal(t, name, m.Channel)
		require.Equal(t, "just a channel", string(m.Body))
	}
	require.Empty(t, joined, "a message is no event")
	require.NoError(t, alice.Send(t.Context(), "threaded", nil))
	require.NoError(t, alice.Send(t.Context(), "threaded", nil))
	next(t, meet)
}

// Events `join leave message name_change group_change`: what a server is told of.
func TestHiSock_ServerEvents(t *testing.T) {
	events := make(chan string, 10)
	w := hub(t, func(s *server.Server) {
		s.OnJoin = func(s *server.Session) { events <- "join " + s.Peer().Name }
		s.OnLeave = func(s *server.Session, reason error) {
			events <- "leave " + s.Peer().Name
			var closed *channel.CloseError
			if !errors.As(reason, &closed) || closed.Text != "bye" {
				t.Errorf("it left for %v", reason)
			}
		}
		s.OnRename = func(s *server.Session, old string) { events <- "name_change " + old + " " + s.Peer().Name }
		s.OnGroupChange = func(_ *server.Session, group string, joined bool) {
			events <- map[bool]string{true: "group_change +", false: "group_change -"}[joined] + group
		}
		s.Handler.Use(func(next channel.Handler) channel.Handler {
			return func(ctx context.Context, from channel.Conn, m *channel.Message) error {
				events <- "message " + string(m.Body)
				return next(ctx, from, m)
			}
		})
		s.Handler.Handle("test", testworld.Echo)
	}, "alice")
	alice := w.Dial("alice", nil)
	require.Equal(t, "join alice", next(t, events))
	_, err := alice.Request(t.Context(), "test", []byte("hi"))
	require.NoError(t, err)
	require.Equal(t, "message hi", next(t, events))
	require.NoError(t, alice.Rename(t.Context(), "queen"))
	require.Equal(t, "name_change alice queen", next(t, events))
	require.NoError(t, alice.JoinGroup(t.Context(), "players"))
	require.Equal(t, "group_change +players", next(t, events))
	require.NoError(t, alice.LeaveGroup(t.Context(), "players"))
	require.Equal(t, "group_change -players", next(t, events))
	require.NoError(t, alice.CloseWithReason(channel.CodeClosed, "bye"))
	require.Equal(t, "leave queen", next(t, events))
}

// Events `client_connect client_disconnect force_disconnect`: what a client is told of.
func TestHiSock_ClientEvents(t *testing.T) {
	w := hub(t, nil, "alice", "bob")
	alice := w.Dial("alice", nil)
	seen := watch(t, alice)
	require.Equal(t, channel.WasHere, next(t, seen).Kind)
	require.Equal(t, channel.Listed, next(t, seen).Kind)
	bob := w.Dial("bob", nil)
	e := next(t, seen)
	require.Equal(t, channel.Came, e.Kind)
	require.Equal(t, "bob", e.Peer.Name)
	require.NoError(t, bob.Close())
	e = next(t, seen)
	require.Equal(t, channel.Went, e.Kind)
	require.Equal(t, "bob", e.Before.Name)

	require.NoError(t, session(t, w, "alice").CloseWithReason(channel.CodeKicked, "enough"))
	<-alice.Context().Done()
	var kicked *channel.CloseError
	require.ErrorAs(t, context.Cause(alice.Context()), &kicked)
	require.Equal(t, channel.CloseError{Code: channel.CodeKicked, Text: "enough"}, *kicked)
}

// `*`: what no handler took, command and data.
func TestHiSock_Star(t *testing.T) {
	w := hub(t, nil, "alice")
	rest, taken := make(inbox, 1), make(inbox, 1)
	w.Server.Handler.Fallback(rest.take)
	w.Server.Handler.Handle("known", taken.take)
	alice := w.Dial("alice", nil)
	for _, name := range []string{"anything", "*", "known"} {
		require.NoError(t, alice.Send(t.Context(), name, []byte("data of "+name)))
	}
	for _, name := range []string{"anything", "*"} {
		m := rest.next(t)
		require.Equal(t, "data of "+m.Channel, string(m.Body))
		require.Contains(t, []string{"anything", "*"}, m.Channel, name)
	}
	require.Equal(t, "data of known", string(taken.next(t).Body))
	require.Empty(t, rest)
}

// `recv(command, type)`, `recv_raw`: wait for the next message, on one channel or on any; ask and answer.
func TestHiSock_Recv(t *testing.T) {
	w := hub(t, nil, "alice")
	alice := w.Dial("alice", nil)
	s := session(t, w, "alice")
	count := channel.Of[int]("count")
	require.NoError(t, s.Send(t.Context(), "other", []byte("raw \xff")))
	require.NoError(t, count.Send(t.Context(), s, 12))
	m, err := alice.Receive(t.Context(), "count")
	require.NoError(t, err)
	n, err := count.Decode(m)
	require.NoError(t, err)
	require.Equal(t, 12, n, "though another came before")
	m, err = alice.Receive(t.Context())
	require.NoError(t, err)
	require.Equal(t, "other", m.Channel)
	require.Equal(t, []byte("raw \xff"), m.Body)

	channel.Respond(w.Server.Handler, "square", func(_ context.Context, _ channel.Conn, n int) (int, error) { return n * n, nil })
	n, err = channel.Request[int](t.Context(), alice, "square", 12)
	require.NoError(t, err)
	require.Equal(t, 144, n)
}

// `send_client / send_all_clients / send_group`, `*_raw`: to one, to all, to a group; who could not
// be reached is reported.
func TestHiSock_SendMany(t *testing.T) {
	w := hub(t, nil, "alice", "bob", "carol")
	players := func(c *client.Config) { c.Groups = []string{"players"} }
	people := map[string]*client.Client{
		"alice": w.Dial("alice", nil), "bob": w.Dial("bob", players),
		"carol": w.Dial("carol", func(c *client.Config) { players(c); c.MaxMessage = 64 << 10 }),
	}
	gets := func(name, group, text string) {
		m, err := people[name].Receive(t.Context(), "news")
		require.NoError(t, err)
		require.Equal(t, text, string(m.Body[:min(len(m.Body), len(text))]), name)
		require.Equal(t, group, m.Group, name)
	}
	require.NoError(t, session(t, w, "bob").Send(t.Context(), "news", []byte("to one")))
	report, err := w.Server.Broadcast(t.Context(), "news", []byte("to all"))
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Equal(t, 3, report.Reached)
	report, err = w.Server.Group("players").Send(t.Context(), "news", []byte("to two"))
	require.NoError(t, err)
	require.Equal(t, 2, report.Reached)
	report, err = people["alice"].Group("players").Send(t.Context(), "news", []byte("from alice"))
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Equal(t, 2, report.Reached)
	gets("bob", "", "to one")
	for _, name := range []string{"alice", "bob", "carol"} {
		gets(name, "", "to all")
	}
	for _, name := range []string{"bob", "carol"} {
		gets(name, "", "to two")
		gets(name, "players", "from alice")
	}

	large := []byte(strings.Repeat("too large for one ", 10_000))
	report, err = w.Server.Broadcast(t.Context(), "news", large)
	require.NoError(t, err)
	require.Equal(t, 2, report.Reached)
	require.Len(t, report.Unreached, 1)
	require.Equal(t, "carol", report.Unreached[0].Peer.Name)
	require.ErrorIs(t, report.Err(), channel.CodeTooLarge)
	gets("alice", "", "too large")
	gets("bob", "", "too large")
	_, err = people["alice"].Group("nobody").Send(t.Context(), "news", nil)
	require.ErrorIs(t, err, channel.CodeUnknownPeer)
}

// `get_client get_all_clients(key) get_group`, client-side `get_client`: look-ups.
func TestHiSock_GetClient(t *testing.T) {
	w := hub(t, nil, "alice", "bob", "carol")
	inGroup := func(c *client.Config) { c.Groups = []string{"players"} }
	alice := w.Dial("alice", nil)
	w.Dial("bob", inGroup)
	w.Dial("carol", inGroup)
	require.Equal(t, "bob", session(t, w, "bob").Peer().Name)
	require.Equal(t, []string{"alice", "bob", "carol"}, named(w.Server.Sessions()))
	require.Equal(t, []string{"bob", "carol"}, named(w.Server.Group("players").Sessions()))
	require.Equal(t, 2, w.Server.Group("players").Len())
	var byKey []string // a filter is an if
	for s := range w.Server.Sessions() {
		if s.Peer().Key == w.Files["carol"].Public {
			byKey = append(byKey, s.Peer().Name)
		}
	}
	require.Equal(t, []string{"carol"}, byKey)

	info, err := alice.Lookup(t.Context(), "bob")
	require.NoError(t, err)
	require.Equal(t, "bob", info.Name)
	require.Equal(t, w.Files["bob"].Public, info.Key)
	require.Equal(t, []string{"players"}, info.Groups)
	require.Equal(t, channel.Here, info.State)
	_, err = alice.Lookup(t.Context(), "dora")
	require.ErrorIs(t, err, channel.CodeUnknownPeer)
}

// `ClientInfo(name, group, ip)`: who a client is.
func TestHiSock_ClientInfo(t *testing.T) {
	w := hub(t, nil, "alice")
	came := make(inbox, 1)
	w.Server.Handler.Handle("test", came.take)
	alice := w.Dial("alice", func(c *client.Config) { c.Groups = []string{"players"} })
	require.NoError(t, alice.Send(t.Context(), "test", nil))
	from := came.next(t).From
	require.Equal(t, "alice", from.Name)
	require.Equal(t, []string{"players"}, from.Groups)
	require.Equal(t, alice.Key(), from.Key)
	require.Equal(t, alice.Stats().LocalAddr.String(), from.Addr.String())
	require.Equal(t, `"alice" `+alice.Key().Fingerprint(), strings.NewReplacer("(", "", ")", "").Replace(from.String()))
}

// `change_name`: at run time, None resets; checked by policy, which allows nothing unless told to.
func TestHiSock_ChangeName(t *testing.T) {
	w := hub(t, nil, "alice", "bob")
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	require.NoError(t, alice.Rename(t.Context(), "queen"))
	require.Equal(t, "queen", alice.Name())
	require.Equal(t, alice.Key(), session(t, w, "queen").Peer().Key)
	require.Equal(t, "queen", session(t, w, "alice").Peer().Name, "she is found by the name that she came with, too")
	require.ErrorIs(t, bob.Rename(t.Context(), "queen"), channel.CodeNameTaken)
	require.ErrorIs(t, bob.Rename(t.Context(), "alice"), channel.CodeNameTaken)
	var bad *keys.NameError
	require.ErrorAs(t, bob.Rename(t.Context(), "bob\x1b[2J"), &bad)
	require.NoError(t, alice.Rename(t.Context(), ""))
	require.Equal(t, "alice", alice.Name())
	require.Equal(t, "alice", session(t, w, "alice").Peer().Name)
	require.NoError(t, bob.Rename(t.Context(), "queen"), "it is free again")
	require.NoError(t, session(t, w, "alice").Rename("by-the-server"))
	require.Equal(t, "by-the-server", session(t, w, "alice").Peer().Name)

	strict := hub(t, func(s *server.Server) { s.AllowRename = nil }, "alice")
	require.ErrorIs(t, strict.Dial("alice", nil).Rename(t.Context(), "queen"), channel.CodeRefused)
}

// `change_group`: at run time, None resets; here a client can be in many, and policy has a say in each.
func TestHiSock_ChangeGroup(t *testing.T) {
	w := hub(t, func(s *server.Server) {
		s.AllowGroups = func(_ channel.Peer, groups []string) error {
			if groups[0] == "admins" {
				return channel.CodeRefused
			}
			return nil
		}
	}, "alice")
	alice := w.Dial("alice", nil)
	s := session(t, w, "alice")
	require.NoError(t, alice.JoinGroup(t.Context(), "red"))
	require.NoError(t, alice.JoinGroup(t.Context(), "blue"))
	require.ErrorIs(t, alice.JoinGroup(t.Context(), "admins"), channel.CodeRefused)
	require.Equal(t, []string{"blue", "red"}, s.Groups())
	require.Equal(t, []string{"alice"}, named(w.Server.Group("red").Sessions()))
	require.NoError(t, alice.LeaveGroup(t.Context(), "red"))
	require.NoError(t, alice.LeaveGroup(t.Context(), "blue"))
	require.Empty(t, s.Groups())
	require.Zero(t, w.Server.Group("red").Len())
	require.NoError(t, s.JoinGroup("admins"), "the server's application may")
	require.Equal(t, []string{"admins"}, s.Peer().Groups)

	strict := hub(t, func(s *server.Server) { s.AllowGroups, s.AllowLeave, s.AllowGroupSend = nil, nil, nil }, "alice")
	alice = strict.Dial("alice", nil)
	require.ErrorIs(t, alice.JoinGroup(t.Context(), "red"), channel.CodeRefused)
	require.NoError(t, session(t, strict, "alice").JoinGroup("red"))
	require.ErrorIs(t, alice.LeaveGroup(t.Context(), "red"), channel.CodeRefused)
	_, err := alice.Group("red").Send(t.Context(), "news", nil)
	require.ErrorIs(t, err, channel.CodeRefused)
}
