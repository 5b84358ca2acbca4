package client_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
)

// somebody is a peer as a server tells of one.
func somebody(t *testing.T, name string) service.Peer {
	return service.Peer{Name: name, Key: testworld.NewKey(t, name).Public.Bytes(), Since: 1_700_000_000_123}
}

func TestLookup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		h := newHub(t)
		bob, carol := somebody(t, "bob"), somebody(t, "carol")
		bob.Groups, bob.State, bob.Away = []string{"a", "b"}, service.Away, 1_700_000_001_000
		carol.Away = 1 // which has no meaning
		answer(h, service.Lookup, func(_ context.Context, r service.NameRequest) (service.Peer, error) {
			switch r.Name {
			case "bob":
				return bob, nil
			case "carol":
				return carol, nil
			}
			return service.Peer{}, &channel.Error{Code: channel.CodeUnknownPeer, Text: "nobody's \x1b[31m"}
		})
		known, err := keys.NewPublicKey(bob.Key)
		require.NoError(t, err)
		alice := h.dial(func(c *client.Config) { c.Keys.Peers["bob"] = known })

		info, err := alice.Lookup(ctx, "bob")
		require.NoError(t, err)
		require.Equal(t, channel.PeerInfo{
			Peer: channel.Peer{Name: "bob", Key: known, Groups: []string{"a", "b"}}, State: channel.Away,
			Since: time.UnixMilli(1_700_000_000_123), AwaySince: time.UnixMilli(1_700_000_001_000),
		}, info)
		info, err = alice.Lookup(ctx, "carol")
		require.NoError(t, err)
		require.True(t, info.Unverified, "a key that is the server's word alone")
		require.Equal(t, channel.Here, info.State)
		require.True(t, info.AwaySince.IsZero())

		// Of a client that was renamed: it is found by its key's own name, and has another.
		bob.Name = "robert"
		info, err = alice.Lookup(ctx, "bob")
		require.NoError(t, err)
		require.Equal(t, "robert", info.Name)
		require.Equal(t, known, info.Key)
		require.True(t, info.Unverified, "the key file has another name for it")

		_, err = alice.Lookup(ctx, "dora")
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		require.NotContains(t, err.Error(), "\x1b")
		for _, name := range []string{"", "a b", "a\nb", "\x1b[31mred", "server", "a/b", "\u202egnp", "\xff", strings.Repeat("a", 65)} {
			var bad *keys.NameError
			_, err = alice.Lookup(ctx, name)
			require.ErrorAs(t, err, &bad, "%q", name)
		}
	})
}

// TestLyingLookup has the server answer what cannot be: the call fails, and shows nothing unquoted.
func TestLyingLookup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		var lie any
		answer(h, service.Lookup, func(context.Context, service.NameRequest) (any, error) { return lie, nil })
		alice := h.dial(nil)
		for name, change := range map[string]func(*service.Peer){
			"no name":             func(p *service.Peer) { p.Name = "" },
			"an escape":           func(p *service.Peer) { p.Name = "\x1b[31mbob" },
			"a short key":         func(p *service.Peer) { p.Key = p.Key[1:] },
			"no key":              func(p *service.Peer) { p.Key = nil },
			"a key of zeros":      func(p *service.Peer) { p.Key = make([]byte, 32) },
			"a key not canonical": func(p *service.Peer) { p.Key = slices.Repeat([]byte{0xff}, 32) },
			"a group's name":      func(p *service.Peer) { p.Groups = []string{"a\nb"} },
			"unsorted groups":     func(p *service.Peer) { p.Groups = []string{"b", "a"} },
			"a group twice":       func(p *service.Peer) { p.Groups = []string{"a", "a"} },
			"too many groups":     func(p *service.Peer) { p.Groups = strings.Split("abcdefghijklmnopq", "") },
			"a state":             func(p *service.Peer) { p.State = 3 },
			"has left":            func(p *service.Peer) { p.State = service.Left },
			"a time before":       func(p *service.Peer) { p.Since = -1 },
			"a time far off":      func(p *service.Peer) { p.Since = math.MaxInt64 },
			"away before":         func(p *service.Peer) { p.State, p.Away = service.Away, -1 },
		} {
			bob := somebody(t, "bob")
			change(&bob)
			lie = bob
			_, err := alice.Lookup(t.Context(), "bob")
			var bad *channel.Error
			require.ErrorAs(t, err, &bad, name)
			require.Equal(t, channel.CodeBadMessage, bad.Code, name)
			require.False(t, bad.Remote, name)
			require.NotContains(t, err.Error(), "\x1b")
			require.NotContains(t, err.Error(), "\n")
		}
		deep := any("x")
		for range 30 {
			deep = []any{deep}
		}
		for _, lie = range []any{nil, 1, "text", []string{}, map[string]any{"name": 7}, map[string]any{"key": "text"},
			map[string]any{"peers": make([]struct{}, 1000)}, deep} {
			_, err := alice.Lookup(t.Context(), "bob")
			require.ErrorIs(t, err, channel.CodeBadMessage)
		}
		lie = service.Peer{Name: strings.Repeat("x", 2<<20)}
		_, err := alice.Lookup(t.Context(), "bob")
		require.ErrorContains(t, err, "it has 2097", "before it is decoded")
	})
}

func TestRename(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		h := newHub(t)
		answer(h, service.Rename, func(_ context.Context, r service.NameRequest) (service.NameRequest, error) {
			switch r.Name {
			case "":
				r.Name = "alice"
			case "bob":
				return r, channel.CodeNameTaken
			case "liar":
				r.Name = "other"
			case "worse":
				r.Name = "\x1b[31m"
			}
			return r, nil
		})
		alice := h.dial(nil)
		require.Equal(t, "alice", alice.Name())
		require.NoError(t, alice.Rename(ctx, "queen"))
		require.Equal(t, "queen", alice.Name())
		require.ErrorIs(t, alice.Rename(ctx, "bob"), channel.CodeNameTaken)
		require.ErrorIs(t, alice.Rename(ctx, "liar"), channel.CodeBadMessage)
		require.ErrorIs(t, alice.Rename(ctx, "worse"), channel.CodeBadMessage)
		for _, name := range []string{"a\nb", "a/b", "SERVER", "\u202egnp", " "} {
			var bad *keys.NameError
			require.ErrorAs(t, alice.Rename(ctx, name), &bad, "%q", name)
		}
		require.Equal(t, "queen", alice.Name())

		// The name is the session's.
		h.net.cut()
		await(t, alice, session(2))
		require.Equal(t, "alice", alice.Name())
		require.NoError(t, alice.Rename(ctx, "queen"))
		require.NoError(t, alice.Rename(ctx, ""))
		require.Equal(t, "alice", alice.Name())
	})
}

// TestRenameLost loses the session while the server thinks about the name.
func TestRenameLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		asked := make(chan struct{})
		answer(h, service.Rename, func(ctx context.Context, r service.NameRequest) (service.NameRequest, error) {
			close(asked)
			<-ctx.Done()
			return r, nil
		})
		alice := h.dial(nil)
		renamed := make(chan error, 1)
		go func() { renamed <- alice.Rename(t.Context(), "queen") }()
		<-asked
		h.net.cut()
		var lost *channel.LostError
		require.ErrorAs(t, <-renamed, &lost)
		await(t, alice, session(2))
		require.Equal(t, "alice", alice.Name())
	})
}

// TestServicesOffline has the calls fail that would wait for a connection.
func TestServicesOffline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		h := newHub(t)
		alice := h.dial(func(c *client.Config) { c.FailOffline = true })
		h.net.fail(true)
		await(t, alice, phase(client.Connecting))
		_, err := alice.Lookup(ctx, "bob")
		require.ErrorIs(t, err, client.ErrOffline)
		require.ErrorIs(t, alice.Rename(ctx, "queen"), client.ErrOffline)
		require.ErrorIs(t, alice.JoinGroup(ctx, "a"), client.ErrOffline)
		require.ErrorIs(t, alice.LeaveGroup(ctx, "a"), client.ErrOffline)
		_, err = alice.Group("a").Send(ctx, "chat", nil)
		require.ErrorIs(t, err, client.ErrOffline)
		_, err = alice.History(ctx, "chat", 0, 0)
		require.ErrorIs(t, err, client.ErrOffline)
	})
}

// TestNoServices asks a server that has none.
func TestNoServices(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		h := newHub(t)
		h.services.Handle("other", testworld.Echo)
		alice := h.dial(nil)
		for range 2 {
			_, err := alice.Lookup(ctx, "bob")
			require.ErrorIs(t, err, channel.CodeNoHandler)
			for _, err = range alice.Presence(ctx) {
			}
			require.ErrorIs(t, err, channel.CodeNoHandler)
			for _, err = range alice.Follow(ctx, "chat", 0) {
			}
			require.ErrorIs(t, err, channel.CodeNoHandler)
		}
		require.NoError(t, alice.Context().Err())
	})
}

// ended awaits the end of a client.
func ended(s client.State) bool { return s.Phase == client.Offline }
