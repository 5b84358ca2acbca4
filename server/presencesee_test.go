package server_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// shareGroup has clients see those whom they have a group in common with.
func shareGroup(viewer, peer channel.Peer) error {
	for _, g := range viewer.Groups {
		if slices.Contains(peer.Groups, g) {
			return nil
		}
	}
	return channel.CodeRefused
}

// TestPresencePolicy leaves those out whom a client may not see.
func TestPresencePolicy(t *testing.T) {
	inHubOf(t, []string{"alice", "bob", "carol", "dave"}, func(s *server.Server) {
		allowAll(s)
		s.AllowSee = shareGroup
	}, func(t *testing.T, w *bubble, _ *received) {
		v := w.member("alice", inGroups("g")).viewer()
		w.member("bob", inGroups("g"))
		carol := w.member("carol", inGroups("other"))
		page := v.next()
		require.Equal(t, []string{"alice", "bob"}, states(page))
		v.ask()
		_, err := carol.rename("c")
		require.NoError(t, err)
		<-time.After(time.Second)
		require.True(t, v.asked.waits(), "nothing that it may see")
		_, err = carol.join("g")
		require.NoError(t, err)
		require.Equal(t, []string{"c"}, states(v.take()))
		_, err = query[any](v.member, service.Lookup, service.NameRequest{Name: "dave"})
		_, nobody := query[any](v.member, service.Lookup, service.NameRequest{Name: "nobody"})
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		require.Equal(t, nobody, err, "whether there is one is not to be told either")
		_, err = query[any](v.member, service.Lookup, service.NameRequest{Name: "alice"})
		require.NoError(t, err)
		loner := w.member("dave", nil).viewer()
		require.Equal(t, []string{"dave"}, states(loner.next()), "itself it may see")
	})
}

// TestPresenceOutOfSight: who may not be seen any more has left, for those who saw it, and they
// hear nothing more of it.
func TestPresenceOutOfSight(t *testing.T) {
	inHubOf(t, []string{"alice", "bob", "carol"}, func(s *server.Server) {
		allowAll(s)
		s.AllowSee = shareGroup
	}, func(t *testing.T, w *bubble, _ *received) {
		v, alice, carol := w.member("bob", inGroups("g")).viewer(), w.member("alice", inGroups("g")), w.member("carol", inGroups("h"))
		require.Equal(t, []string{"bob", "alice"}, states(v.next()))
		v.ask()
		_, err := alice.quit("g")
		require.NoError(t, err)
		_, err = alice.rename("al")
		require.NoError(t, err)
		page := v.take()
		require.Equal(t, []service.Peer{{Key: w.files["alice"].Public.Bytes(), State: service.Left}}, page.Peers,
			"also if it has changed again since")
		v.ask()
		_, err = alice.rename("ally")
		require.NoError(t, err)
		aliceSess := alice.session()
		go func() { _ = aliceSess.Close() }()
		<-time.After(time.Minute)
		require.True(t, v.asked.waits(), "what becomes of her is not for him to know")
		_, err = carol.join("g")
		require.NoError(t, err)
		require.Equal(t, []string{"carol"}, states(v.take()))

		// When he leaves a group himself, nobody else need have changed.
		v.ask()
		_, err = v.quit("g")
		require.NoError(t, err)
		page = v.take()
		require.True(t, page.All)
		require.Equal(t, []string{"bob"}, states(page))
		require.Equal(t, []string{"bob"}, v.names())
		v.ask()
		_, err = v.join("h")
		require.NoError(t, err)
		require.True(t, v.take().All)
		require.Equal(t, []string{"bob", "carol"}, v.names())

		// One whose session is transient is not on the list, and hears of it no later.
		guest := w.member("alice", func(h *wire.Hello) { inGroups("g", "h")(h); h.Transient = true }).viewer()
		require.Equal(t, []string{"carol", "bob"}, states(guest.next()))
		guest.ask()
		began := time.Now()
		for _, group := range []string{"g", "h"} {
			_, err = guest.quit(group)
			require.NoError(t, err)
		}
		require.True(t, guest.take().All)
		require.Equal(t, 100*time.Millisecond, time.Since(began))
		require.Empty(t, guest.names())
	})
}

// TestPresenceAnswerLost: who did not get an answer begins anew when the server goes by what it was told.
func TestPresenceAnswerLost(t *testing.T) {
	inHub(t, func(s *server.Server) {
		allowAll(s)
		s.AllowSee = shareGroup
	}, func(t *testing.T, w *bubble, _ *received) {
		v, alice := w.member("bob", inGroups("g")).viewer(), w.member("alice", inGroups("g"))
		first := v.next()
		lose := func() {
			before := v.page
			v.next()
			v.page = before
			v.knows = map[string]service.Peer{}
			for _, p := range first.Peers {
				v.knows[string(p.Key)] = p
			}
		}
		_, err := alice.quit("g")
		require.NoError(t, err)
		lose() // that alice has left
		lose() // the list
		require.True(t, v.next().All)
		require.Equal(t, []string{"bob"}, v.names())

		// The list may end at the same position as what the client had before.
		guest := w.member("alice", func(h *wire.Hello) { inGroups("g")(h); h.Transient = true }).viewer()
		require.Equal(t, []string{"bob", "alice"}, states(guest.next()), "its other session it may see")
		before := guest.page
		_, err = guest.quit("g")
		require.NoError(t, err)
		require.Equal(t, before.To, guest.next().To)
		guest.page, guest.knows = before, map[string]service.Peer{string(before.Peers[0].Key): before.Peers[0],
			string(before.Peers[1].Key): before.Peers[1]}
		require.True(t, guest.next().All)
		require.Equal(t, []string{"alice"}, guest.names())

		// A new session cannot go on where the one before was.
		_, err = alice.join("g")
		require.NoError(t, err)
		v.next()
		require.Equal(t, []string{"alice", "bob"}, v.names())
		page, knows := v.page, v.knows
		v = w.member("bob", inGroups("h")).viewer()
		v.page, v.knows = page, knows
		require.True(t, v.next().All)
		require.Equal(t, []string{"bob"}, v.names())
	})
}
