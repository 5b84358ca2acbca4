package client_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// grouped lets the client join and leave, but for some.
func (h *hub) grouped() {
	var mu chan struct{} = make(chan struct{}, 1)
	in := map[string]bool{}
	change := func(group string, to bool) (service.Self, error) {
		mu <- struct{}{}
		defer func() { <-mu }()
		switch {
		case group == "closed":
			return service.Self{}, channel.CodeRefused
		case !to && !in[group]:
			return service.Self{}, channel.CodeUnknownPeer
		}
		in[group] = to
		var now []string
		for g, is := range in {
			if is {
				now = append(now, g)
			}
		}
		slices.Sort(now)
		return service.Self{Groups: now}, nil
	}
	answer(h, service.Join, func(_ context.Context, r service.GroupRequest) (service.Self, error) { return change(r.Group, true) })
	answer(h, service.Leave, func(_ context.Context, r service.GroupRequest) (service.Self, error) { return change(r.Group, false) })
	for _, g := range []string{"first", "servers"} {
		in[g] = true
	}
}

func TestGroups(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		h := newHub(t)
		h.grouped()
		alice := h.dial(func(c *client.Config) { c.Groups = []string{"first", "first"} })
		require.Equal(t, []string{"first"}, alice.Groups())
		require.NoError(t, alice.JoinGroup(ctx, "b"))
		require.NoError(t, alice.JoinGroup(ctx, "a"))
		require.NoError(t, alice.JoinGroup(ctx, "a"), "again")
		require.Equal(t, []string{"a", "b", "first", "servers"}, alice.Groups(), "with one that the server's application put it in")
		require.ErrorIs(t, alice.JoinGroup(ctx, "closed"), channel.CodeRefused)
		require.ErrorIs(t, alice.LeaveGroup(ctx, "closed"), channel.CodeRefused)
		require.NoError(t, alice.LeaveGroup(ctx, "b"))
		require.ErrorIs(t, alice.LeaveGroup(ctx, "b"), channel.CodeUnknownPeer)
		groups := alice.Groups()
		require.Equal(t, []string{"a", "first", "servers"}, groups)
		groups[0] = "changed"
		require.Equal(t, []string{"a", "first", "servers"}, alice.Groups())
		for _, name := range []string{"", "a b", "a\nb", "a/b", "\u202egnp"} {
			var bad *keys.NameError
			require.ErrorAs(t, alice.JoinGroup(ctx, name), &bad, "%q", name)
			require.ErrorAs(t, alice.LeaveGroup(ctx, name), &bad, "%q", name)
			_, err := alice.Group(name).Send(ctx, "chat", nil)
			require.ErrorAs(t, err, &bad, "%q", name)
		}

		// The next session asks for what the client has asked for.
		h.net.cut()
		await(t, alice, session(2))
		require.Equal(t, [][]string{{"first"}, {"a", "first"}}, h.asked())
		require.Equal(t, []string{"a", "first"}, alice.Groups())
		require.NoError(t, alice.LeaveGroup(ctx, "first"))
		h.net.cut()
		await(t, alice, session(3))
		require.Equal(t, []string{"a"}, h.asked()[2])

		// A server that does not allow it any more does not want the client.
		h.refuses(channel.CodeRefused)
		h.net.cut()
		s := await(t, alice, ended)
		require.ErrorIs(t, s.Err, channel.CodeRefused)
	})
}

// TestLyingGroups has the server answer what cannot be: the client believes none of it.
func TestLyingGroups(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		var lie []string
		say := func(context.Context, service.GroupRequest) (service.Self, error) {
			return service.Self{Groups: lie}, nil
		}
		answer(h, service.Join, say)
		answer(h, service.Leave, say)
		alice := h.dial(func(c *client.Config) { c.Groups = []string{"a"} })
		for _, lie = range [][]string{{"a"}, {"b", "a"}, {"b", "b"}, {"b", "\x1b[31m"}, strings.Split("abcdefghijklmnopq", "")} {
			require.ErrorIs(t, alice.JoinGroup(t.Context(), "b"), channel.CodeBadMessage, "%q", lie)
		}
		lie = []string{"a"}
		require.ErrorIs(t, alice.LeaveGroup(t.Context(), "a"), channel.CodeBadMessage)
		require.Equal(t, []string{"a"}, alice.Groups())
	})
}

func TestTooManyGroups(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		h.grouped()
		alice := h.dial(func(c *client.Config) { c.Groups = strings.Split("abcdefghijklmnop", "") })
		require.ErrorIs(t, alice.JoinGroup(t.Context(), "q"), channel.CodeLimit)
	})
}

// TestGroupOfALostSession joins a group, and the answer is overtaken by the loss of the session.
func TestGroupOfALostSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		asked := make(chan struct{}, 1)
		answer(h, service.Join, func(ctx context.Context, r service.GroupRequest) (service.Self, error) {
			asked <- struct{}{}
			<-ctx.Done()
			return service.Self{}, ctx.Err()
		})
		alice := h.dial(nil)
		joined := make(chan error, 1)
		go func() { joined <- alice.JoinGroup(t.Context(), "a") }()
		<-asked
		h.net.cut()
		var lost *channel.LostError
		require.ErrorAs(t, <-joined, &lost)
		await(t, alice, session(2))
		require.Empty(t, alice.Groups())
		require.Equal(t, [][]string{nil, nil}, h.asked())

		// One after another, and ctx ends the wait.
		go func() { joined <- alice.JoinGroup(t.Context(), "b") }()
		<-asked
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, alice.JoinGroup(ctx, "c"), context.DeadlineExceeded)
		synctest.Wait()
		require.Empty(t, asked, "the server was asked for both at once")
		require.NoError(t, alice.Close())
		require.Error(t, <-joined)
	})
}

// TestGroupWhileASessionBegins has the answer come, over the connection that works, while the
// client renews it after a sleep: when the hello has gone out without the group, and before it is
// known that the server does not have the session any more. The client begins another, with the
// group.
func TestGroupWhileASessionBegins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLiar(t)
		asked, answers := make(chan struct{}), make(chan struct{})
		services := new(channel.Mux)
		channel.Respond(services, service.Join, func(_ context.Context, _ channel.Conn, r service.GroupRequest) (service.Self, error) {
			close(asked)
			<-answers
			return service.Self{Groups: []string{r.Group}}, nil
		})
		var sleep atomic.Int64
		dialed := make(chan *client.Client, 1)
		go func() {
			start := time.Now()
			alice, err := client.DialWith(context.Background(), "", l.client(), func() time.Time {
				return time.Now().Add(time.Duration(sleep.Load()))
			},
				func() time.Duration { return time.Since(start) })
			if err != nil {
				panic(err)
			}
			dialed <- alice
		}()
		conn, _ := l.welcome(fresh(1))
		first := link.New(resume.New(conn, &resume.Config{}), &link.Config{Peer: &channel.Peer{Name: "alice"}, Services: services,
			Logger: silent()})
		first.Run()
		t.Cleanup(func() {
			first.Cut(nil)
			first.Wait()
		})
		alice := <-dialed
		joined := make(chan error, 1)
		go func() { joined <- alice.JoinGroup(t.Context(), "players") }()
		<-asked
		sleep.Add(int64(time.Minute))
		_, hello := l.welcome(func(h *wire.Hello) *wire.Welcome {
			close(answers)
			require.NoError(t, <-joined)
			return fresh(2)(h)
		})
		require.Empty(t, hello.Groups)
		_, hello = l.welcome(fresh(3))
		require.Equal(t, []string{"players"}, hello.Groups)
		await(t, alice, session(2))
		require.Equal(t, []string{"players"}, alice.Groups())
		alice.Close()
	})
}
