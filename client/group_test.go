package client_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

func TestGroupSend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		h := newHub(t)
		var got service.GroupMessage
		var report any
		answer(h, service.Send, func(_ context.Context, m service.GroupMessage) (any, error) {
			got = m
			if m.Group == "closed" {
				return nil, channel.CodeRefused
			}
			return report, nil
		})
		alice := h.dial(nil)
		players := alice.Group("players")
		require.Equal(t, "players", players.Name())

		report = service.Report{Reached: 3}
		r, err := players.Send(ctx, "move", []byte("e4"))
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.Equal(t, 3, r.Reached)
		require.Equal(t, service.GroupMessage{Group: "players", Channel: "move", Body: []byte("e4")}, got)
		_, err = players.Send(ctx, "move", nil)
		require.NoError(t, err)
		require.Equal(t, []byte{}, got.Body)

		m, err := channel.Of[int]("count").Message(7)
		require.NoError(t, err)
		bob := somebody(t, "bob")
		unreached := service.Unreached{Name: bob.Name, Key: bob.Key, Code: channel.CodeLimit}
		report = service.Report{Reached: 1, Unreached: []service.Unreached{unreached}, More: 2}
		r, err = players.SendMessage(ctx, m)
		require.NoError(t, err)
		require.Equal(t, channel.CBOR, got.Encoding)
		require.Equal(t, m.Body, got.Body)
		require.ErrorIs(t, r.Err(), channel.CodeLimit)
		require.Equal(t, "bob", r.Unreached[0].Peer.Name)
		require.True(t, r.Unreached[0].Peer.Unverified)
		require.Equal(t, 2, r.More)

		_, err = alice.Group("closed").Send(ctx, "move", nil)
		require.ErrorIs(t, err, channel.CodeRefused)
		var bad *keys.NameError
		_, err = players.Send(ctx, "a\nb", nil)
		require.ErrorAs(t, err, &bad)
		_, err = players.SendMessage(ctx, &channel.Message{Channel: "move", Encoding: 3})
		require.ErrorIs(t, err, channel.CodeBadMessage)
		_, err = players.Send(ctx, "move", make([]byte, wire.DefaultMaxMessage))
		require.ErrorIs(t, err, channel.CodeTooLarge)

		lie := func(change func(*service.Unreached)) service.Report {
			u := unreached
			change(&u)
			return service.Report{Unreached: []service.Unreached{u}}
		}
		for name, r := range map[string]any{
			"fewer than none":  service.Report{Reached: -1},
			"more than enough": service.Report{More: math.MaxInt64},
			"a name":           lie(func(u *service.Unreached) { u.Name = "\x1b[31m" }),
			"a key":            lie(func(u *service.Unreached) { u.Key = u.Key[1:] }),
			"a code":           map[string]any{"unreached": []any{map[string]any{"code": 1 << 20}}},
			"too many":         service.Report{Unreached: make([]service.Unreached, 1025)},
		} {
			report = r
			_, err = players.Send(ctx, "move", nil)
			require.ErrorIs(t, err, channel.CodeBadMessage, name)
			require.NotContains(t, err.Error(), "\x1b", name)
		}
	})
}

// TestGroupMessages has the server pass on what others have sent to a group: to the same handler as its own messages.
func TestGroupMessages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		h := newHub(t)
		alice := h.dial(nil)
		bob := testworld.NewKey(t, "bob").Public
		head := wire.GroupHead{Name: "bob", Key: [32]byte(bob.Bytes()), Group: "players"}
		got := make(chan string, 10)
		alice.Use(func(next channel.Handler) channel.Handler {
			return func(ctx context.Context, from channel.Conn, m *channel.Message) error {
				if from != channel.Conn(alice) {
					t.Error("it came from elsewhere")
				}
				got <- fmt.Sprintf("%s %q %v: %s", m.From.Name, m.Group, m.From.Unverified, m.Body)
				return next(ctx, from, m)
			}
		})
		failed := make(chan channel.ErrorEvent, 1)
		alice.OnError(func(e channel.ErrorEvent) { failed <- e })
		alice.Handle("move", func(context.Context, channel.Conn, *channel.Message) error { return nil })
		alice.Handle("fails", func(context.Context, channel.Conn, *channel.Message) error { panic("on purpose") })
		stopped, stop := context.WithCancel(ctx)
		stop()
		_, err := alice.Receive(stopped) // from now on messages go to their handlers, or wait
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, h.last().SendGroup(ctx, link.NewGroupBody(head, []byte("e4")), "move", channel.Raw))
		require.Equal(t, `bob "players" true: e4`, <-got)
		require.NoError(t, h.last().Send(ctx, "move", channel.Raw, []byte("your turn")))
		require.Equal(t, `server "" false: your turn`, <-got)
		require.NoError(t, h.last().SendGroup(ctx, link.NewGroupBody(head, []byte("now")), "fails", channel.Raw))
		require.Equal(t, `bob "players" true: now`, <-got)
		e := <-failed
		var panicked *channel.PanicError
		require.ErrorAs(t, e.Err, &panicked)
		require.Equal(t, channel.Conn(alice), e.Conn)
		require.Equal(t, "bob", e.Message.From.Name)

		// Receive gets them, too.
		require.NoError(t, h.last().SendGroup(ctx, link.NewGroupBody(head, []byte("hello")), "chat", channel.Raw))
		m, err := alice.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "players", m.Group)
		require.Equal(t, bob, m.From.Key)
	})
}

// TestSharedHandler has middleware and the error hook of one Mux see the messages of two clients.
func TestSharedHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		mux := new(channel.Mux)
		w := newWorld(t, nil, "alice", "bob")
		shared := func(c *client.Config) { c.Handler = mux }
		alice, bob := w.dial("alice", shared), w.dial("bob", shared)
		alice.Handle("news", func(context.Context, channel.Conn, *channel.Message) error { return channel.CodeFailed })
		failed := make(chan channel.ErrorEvent, 2)
		bob.OnError(func(e channel.ErrorEvent) { failed <- e })
		go alice.Run(ctx)
		go bob.Run(ctx)
		for name, c := range map[string]*client.Client{"alice": alice, "bob": bob} {
			s, ok := w.srv.Session(name)
			require.True(t, ok)
			require.NoError(t, s.Send(ctx, "news", nil))
			require.Equal(t, channel.Conn(c), (<-failed).Conn)
		}
	})
}
