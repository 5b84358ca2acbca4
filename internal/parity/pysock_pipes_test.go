package parity_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// `HANDSHAKE(target)`, `HS_Devices`: client-to-client key exchange, and who it is done with.
func TestPySock_Handshake(t *testing.T) {
	w := hub(t, nil, "alice", "bob", "carol")
	alice, bob, carol := w.Dial("alice", nil), w.Dial("bob", nil), w.Dial("carol", nil)
	require.Empty(t, alice.Pipes())
	byBob, byCarol := accept(t, bob), accept(t, carol)
	pb, err := alice.OpenPipe(t.Context(), "bob")
	require.NoError(t, err)
	pc, err := alice.OpenPipe(t.Context(), "carol")
	require.NoError(t, err)
	atBob, atCarol := next(t, byBob), next(t, byCarol)

	require.Equal(t, w.Files["bob"].Public, pb.Peer().Key)
	require.Equal(t, w.Files["alice"].Public, atBob.Peer().Key)
	require.Equal(t, "alice", atCarol.Peer().Name)
	require.Equal(t, pb.SafetyNumber(), atBob.SafetyNumber())
	require.NotEqual(t, pb.SafetyNumber(), pc.SafetyNumber())
	require.ElementsMatch(t, []*client.Pipe{pb, pc}, alice.Pipes())
	require.Equal(t, []*client.Pipe{atBob}, bob.Pipes())
	require.NoError(t, pb.Close())
	require.Equal(t, []*client.Pipe{pc}, alice.Pipes())
	_, err = alice.OpenPipe(t.Context(), "dora")
	require.ErrorIs(t, err, channel.CodeUnknownPeer)
}

// `SEND_TO_CLIENT(target, data)`, reserved channel `DSP_MSG`: an encrypted message to a peer, and its inbox.
func TestPySock_SendToClient(t *testing.T) {
	w := hub(t, func(s *server.Server) {
		s.Handler.Fallback(func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			t.Errorf("the server got %q", m.Body)
			return nil
		})
	}, "alice", "bob")
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	atAlice, atBob := make(inbox, 10), make(inbox, 10)
	alice.Handle("inbox", atAlice.take)
	bob.Handle("inbox", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		if err := from.Send(ctx, "inbox", append([]byte("re: "), m.Body...)); err != nil {
			return err
		}
		return atBob.take(ctx, from, m)
	})
	run(t, alice)
	run(t, bob)
	for _, text := range []string{"one", "two", "three"} {
		require.NoError(t, alice.SendTo(t.Context(), "bob", "inbox", []byte(text)))
		m := atBob.next(t)
		require.Equal(t, text, string(m.Body))
		require.Equal(t, "alice", m.From.Name)
		require.Equal(t, w.Files["alice"].Public, m.From.Key)
		require.Equal(t, "re: "+text, string(atAlice.next(t).Body))
	}
	require.NoError(t, bob.SendTo(t.Context(), "alice", "inbox", []byte("back")))
	require.Equal(t, "back", string(atAlice.next(t).Body))
	require.Len(t, alice.Pipes(), 1, "it is opened once, and serves both")
	require.EqualValues(t, 1, w.Server.Stats().PipesBegun)
}

// `DSP_enable`: switch peer messaging off, as a client or for all.
func TestPySock_DSPEnable(t *testing.T) {
	w := hub(t, func(s *server.Server) {
		s.AllowPipe = func(from, to channel.Peer) error {
			if to.Name == "carol" {
				return &channel.Error{Code: channel.CodeRefused, Text: "not to her"}
			}
			return nil
		}
	}, "alice", "bob", "carol", "dora")
	alice := w.Dial("alice", nil)
	bob := w.Dial("bob", func(c *client.Config) { c.NoPipes = true })
	w.Dial("carol", nil)
	dora := w.Dial("dora", nil)
	err := alice.SendTo(t.Context(), "bob", "inbox", nil)
	require.ErrorIs(t, err, channel.CodeRefused)
	err = alice.SendTo(t.Context(), "carol", "inbox", nil)
	require.ErrorIs(t, err, channel.CodeRefused)
	require.ErrorContains(t, err, "not to her")
	accepted := accept(t, dora)
	_, err = bob.OpenPipe(t.Context(), "dora")
	require.NoError(t, err, "who takes none may open one")
	next(t, accepted)
}

// `rememberServer`: by a pinned key, or by trust on first use with a file of known servers.
func TestPySock_RememberServer(t *testing.T) {
	w, other := hub(t, nil, "alice"), hub(t, nil, "alice")
	elsewhere := func(c *client.Config) {
		c.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, other.Address)
		}
	}
	var changed *keys.ChangedKeyError
	require.NoError(t, w.Dial("alice", nil).Close(), "pinned")
	_, err := w.TryDial("alice", elsewhere)
	require.ErrorAs(t, err, &changed)

	known, err := keys.OpenKnownServers(filepath.Join(t.TempDir(), "known"))
	require.NoError(t, err)
	unpinned := *w.Files["alice"]
	unpinned.Server = &keys.ServerRef{Address: w.Address}
	firstUse := func(c *client.Config) { c.Keys, c.KnownServers = &unpinned, known }
	_, err = w.TryDial("alice", func(c *client.Config) { c.Keys = &unpinned })
	require.ErrorIs(t, err, client.ErrUnknownServer, "nobody said to trust it")
	for range 2 {
		require.NoError(t, w.Dial("alice", firstUse).Close())
	}
	key, found, err := known.Lookup(w.Address)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, w.Server.Keys.Public, key)
	_, err = w.TryDial("alice", func(c *client.Config) { firstUse(c); elsewhere(c) })
	changed = nil
	require.ErrorAs(t, err, &changed)
	require.Zero(t, other.Server.Stats().SessionsBegun)
}

// `conClients`, `varifiedDevices`: who is connected, to the server and to its clients.
func TestPySock_ConnectedClients(t *testing.T) {
	w := hub(t, nil, "alice", "bob", "carol")
	require.Empty(t, named(w.Server.Sessions()))
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	require.Equal(t, []string{"alice", "bob"}, named(w.Server.Sessions()))
	for s := range w.Server.Sessions() {
		require.Equal(t, w.Files[s.Peer().Name].Public, s.Peer().Key, "each has proven its key")
	}
	seen := watch(t, alice)
	first := []string{next(t, seen).Peer.Name, next(t, seen).Peer.Name}
	require.ElementsMatch(t, []string{"alice", "bob"}, first)
	require.Equal(t, channel.Listed, next(t, seen).Kind, "these are all")
	w.Dial("carol", nil)
	e := next(t, seen)
	require.Equal(t, channel.Came, e.Kind)
	require.Equal(t, "carol", e.Peer.Name)
	require.Equal(t, w.Files["carol"].Public, e.Peer.Key)
	require.NoError(t, bob.Close())
	until(t, seen, is(channel.Went, "bob"))
	require.Equal(t, []string{"alice", "carol"}, named(w.Server.Sessions()))
}
