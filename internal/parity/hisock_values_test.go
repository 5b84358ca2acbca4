package parity_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

// clientInfo is HiSock's ClientInfo, as a value that travels.
type clientInfo struct {
	Name   string   `cbor:"name"`
	Groups []string `cbor:"groups"`
	Port   *int     `cbor:"port"`
}

// Typecasting: bytes str int float bool None list dict (nested), ClientInfo: a value arrives as the
// type it was sent, typed or dynamic.
func TestHiSock_Typecasting(t *testing.T) {
	w := hub(t, nil, "alice")
	alice := w.Dial("alice", nil)
	port := 7700
	info := clientInfo{Name: "alice", Groups: []string{"a", "b"}, Port: &port}
	when := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	arrives(t, w.Server, alice, []byte{0, 255})
	arrives(t, w.Server, alice, "\x00text, 5 and 1.5 and None")
	arrives(t, w.Server, alice, math.MinInt64)
	arrives(t, w.Server, alice, 0.1)
	arrives(t, w.Server, alice, true)
	arrives(t, w.Server, alice, (*int)(nil))
	arrives(t, w.Server, alice, []int{1, 2, 3})
	arrives(t, w.Server, alice, map[string]map[string][]float64{"a": {"b": {1.5, math.Inf(1)}}, "c": nil})
	arrives(t, w.Server, alice, info)
	arrives(t, w.Server, alice, clientInfo{Name: "without a port"})
	arrives(t, w.Server, alice, when)

	came := make(inbox, 1)
	w.Server.Handler.Handle("any", came.take)
	nested := map[string]any{"list": []any{int64(1), "2", 3.5, nil, false, []byte("4")}, "dict": map[string]any{"empty": []any{}},
		"none": nil}
	require.NoError(t, channel.Of[any]("any").Send(t.Context(), alice, nested))
	v, err := came.next(t).Value()
	require.NoError(t, err)
	require.Equal(t, nested, v)
	require.NoError(t, channel.Of[any]("any").Send(t.Context(), alice, info))
	v, err = came.next(t).Value()
	require.NoError(t, err)
	require.Equal(t, map[string]any{"name": "alice", "groups": []any{"a", "b"}, "port": int64(7700)}, v)
}

// channels numbers the channels of arrives.
var channels int

// arrives sends a value to the server and gets it back, both typed.
func arrives[T any](t *testing.T, srv *server.Server, c *client.Client, v T) {
	t.Helper()
	channels++
	name := "typed-" + strconv.Itoa(channels)
	got := make(chan T, 1)
	channel.Respond(srv.Handler, name, func(_ context.Context, _ channel.Conn, v T) (T, error) {
		got <- v
		return v, nil
	})
	back, err := channel.Request[T](t.Context(), c, name, v)
	require.NoError(t, err)
	if when, ok := any(v).(time.Time); ok {
		require.True(t, when.Equal(any(back).(time.Time)), "%v", back)
		require.True(t, when.Equal(any(next(t, got)).(time.Time)))
		return
	}
	require.Equal(t, v, back)
	require.Equal(t, v, next(t, got))
}

// Dynamic arguments; send without data: handlers for typed, raw and empty messages, and ones that
// take fewer of the fields.
func TestHiSock_DynamicArguments(t *testing.T) {
	w := hub(t, nil, "alice")
	alice := w.Dial("alice", nil)
	mux := w.Server.Handler
	said := make(chan string, 1)
	type move struct{ X, Y int }
	channel.Of[move]("typed").Handle(mux, func(_ context.Context, _ channel.Conn, m move) error {
		said <- strconv.Itoa(m.X + m.Y)
		return nil
	})
	channel.Of[struct{ X int }]("fewer").Handle(mux, func(_ context.Context, _ channel.Conn, m struct{ X int }) error {
		said <- strconv.Itoa(m.X)
		return nil
	})
	mux.Handle("raw", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		said <- string(m.Body)
		return nil
	})
	ready := channel.NewSignal("ready")
	ready.Handle(mux, func(_ context.Context, from channel.Conn) error {
		said <- from.Peer().Name + " is ready"
		return nil
	})
	failed := make(chan error, 1)
	mux.OnError(func(e channel.ErrorEvent) { failed <- e.Err })

	require.NoError(t, channel.Of[move]("typed").Send(t.Context(), alice, move{3, 4}))
	require.Equal(t, "7", next(t, said))
	require.NoError(t, channel.Of[move]("fewer").Send(t.Context(), alice, move{3, 4}))
	require.Equal(t, "3", next(t, said))
	require.NoError(t, alice.Send(t.Context(), "raw", nil))
	require.Empty(t, next(t, said))
	require.NoError(t, ready.Send(t.Context(), alice))
	require.Equal(t, "alice is ready", next(t, said))

	require.NoError(t, alice.Send(t.Context(), "ready", []byte("data")))
	var bad *channel.DecodeError
	require.ErrorAs(t, next(t, failed), &bad)
	_, err := alice.Request(t.Context(), "ready", []byte("data"))
	require.ErrorIs(t, err, channel.CodeBadMessage)
	<-failed
	require.Empty(t, said)
}

// `cache_size`, `get_cache`: the last N messages, also for who comes later; and what is missing is told.
func TestHiSock_Cache(t *testing.T) {
	cache := channel.NewHistory(channel.HistoryConfig{Count: 3})
	w := hub(t, func(s *server.Server) { s.Histories = map[string]*channel.History{"news": cache} }, "alice")
	for _, text := range []string{"1", "2", "3", "4", "5"} {
		_, err := w.Server.Broadcast(t.Context(), "news", []byte(text))
		require.NoError(t, err)
	}
	alice := w.Dial("alice", nil)
	page, err := alice.History(t.Context(), "news", 0, 0)
	require.NoError(t, err)
	require.EqualValues(t, 2, page.Lost)
	require.EqualValues(t, 5, page.Last)
	require.Len(t, page.Entries, 3)
	for i, e := range page.Entries {
		require.EqualValues(t, i+3, e.Number)
		require.Equal(t, strconv.Itoa(i+3), string(e.Message.Body))
	}
	_, err = alice.History(t.Context(), "news", 6, 0)
	require.ErrorIs(t, err, channel.CodeBadMessage, "the future")
	_, err = alice.History(t.Context(), "weather", 0, 0)
	require.ErrorIs(t, err, channel.CodeUnknownPeer)

	var got []string
	for e, err := range alice.Follow(t.Context(), "news", 1) {
		var gap *client.HistoryGapError
		switch {
		case errors.As(err, &gap):
			require.EqualValues(t, 1, gap.Lost)
			got = append(got, "gap")
			continue
		case err != nil:
			t.Fatal(err)
		}
		got = append(got, string(e.Message.Body))
		if e.Number == 5 { // what was kept has come; now what comes
			_, err := w.Server.Broadcast(t.Context(), "news", []byte("live"))
			require.NoError(t, err)
		} else if e.Number == 6 {
			break
		}
	}
	require.Equal(t, []string{"gap", "3", "4", "5", "live"}, got)

	local := channel.NewHistory(channel.HistoryConfig{Count: 2})
	w.Server.Handler.Use(local.Middleware())
	w.Server.Handler.Handle("test", func(context.Context, channel.Conn, *channel.Message) error { return nil })
	for _, text := range []string{"a", "b", "c"} {
		require.NoError(t, alice.SendAcked(t.Context(), "test", []byte(text)))
	}
	require.NoError(t, local.Wait(t.Context(), 2))
	page, err = local.Entries(0, 0)
	require.NoError(t, err)
	require.Len(t, page.Entries, 2)
	require.Equal(t, "c", string(page.Entries[1].Message.Body))
	require.Equal(t, "alice", page.Entries[1].Message.From.Name)
}
