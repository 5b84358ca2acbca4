package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/service"
)

// peersOf gives a list in words.
func peersOf(list []channel.PeerInfo) []string {
	words := []string{}
	for _, p := range list {
		words = append(words, fmt.Sprint(p.Name, " ", p.State, " ", p.Groups))
	}
	return words
}

// TestPeers asks a server, alone and beside a loop that waits: what was so when the call began is in the list.
func TestPeers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, allowing, "alice", "bob", "carol")
		bobs, forBob := w.apart()
		alice := w.dial("alice", nil)
		list, err := alice.Peers(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"alice here []"}, peersOf(list))
		require.False(t, list[0].Since.IsZero())

		seen := watch(t, ctx, alice)
		defer seen.stop()
		seen.sees("alice was here")
		seen.sees("listed")
		events := make(chan channel.PresenceEvent, 10)
		go func() {
			for e := range alice.Presence(ctx) {
				if e.Kind != channel.Listed {
					events <- e
				}
			}
		}()
		require.Equal(t, "alice", (<-events).Peer.Name)
		synctest.Wait() // it waits, and the other does not
		w.dial("carol", func(c *client.Config) { c.Groups = []string{"red"} })
		list, err = alice.Peers(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"alice here []", "carol here [red]"}, peersOf(list))
		require.Equal(t, w.files["carol"].Public, list[1].Key)
		require.False(t, list[1].Unverified)
		list[1].Groups[0] = "mine"

		bob := w.dial("bob", forBob)
		bobs.fail(true)
		synctest.Wait()
		list, err = alice.Peers(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"alice here []", "bob away []", "carol here [red]"}, peersOf(list))
		bobs.fail(false)
		await(t, bob, phase(client.Online))
		require.NoError(t, bob.Close())
		synctest.Wait()
		list, err = alice.Peers(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"alice here []", "carol here [red]"}, peersOf(list))

		seen.sees("carol came")
		for _, want := range []channel.PresenceKind{channel.Came, channel.Came, channel.Went} { // carol, bob, bob
			e := <-events
			for e.Kind == channel.WentAway || e.Kind == channel.CameBack {
				e = <-events
			}
			require.Equal(t, want, e.Kind, e.Peer.Name)
		}
		w.dial("bob", nil) // they go on
		require.Equal(t, "bob", (<-events).Peer.Name)
	})
}

// TestPeersPages has a list of several pages, also while loops wait, and a server that begins
// another in the midst of it.
func TestPeersPages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		h := newHub(t)
		p := newPresences(h)
		bob, carol, dora, erin := somebody(t, "bob"), somebody(t, "carol"), somebody(t, "dora"), somebody(t, "erin")
		p.change(erin, away(carol), left(somebody(t, "zoe")), dora, bob)
		alice := h.dial(nil)
		all := []string{"bob here []", "carol away []", "dora here []", "erin here []"}
		for range 2 {
			list, err := alice.Peers(ctx)
			require.NoError(t, err)
			require.Equal(t, all, peersOf(list))
		}
		asking, _, asked := p.counts()
		require.Zero(t, asking, "it leaves nothing")
		require.Equal(t, 6, asked)
		p.anew(erin, away(carol), bob)

		w := watch(t, ctx, alice)
		defer w.stop()
		w.sees("bob was here", "carol was here", "erin was here") // and dora is not remembered
		w.sees("listed")
		p.change(dora)
		w.sees("dora came")
		var waits sync.WaitGroup
		loop, stop := context.WithCancel(ctx)
		came := make(chan string, 10)
		for range 2 {
			waits.Go(func() {
				for e := range alice.Presence(loop) {
					if e.Kind > channel.Listed {
						came <- fmt.Sprint(e.Peer.Name, " ", e.Kind)
					}
				}
			})
		}
		synctest.Wait()
		for range 3 {
			list, err := alice.Peers(ctx)
			require.NoError(t, err)
			require.Equal(t, all, peersOf(list))
		}
		synctest.Wait()
		asking, _, _ = p.counts()
		require.Equal(t, 1, asking, "the loops ask again")
		require.Empty(t, came)

		p.anew(dora)
		list, err := alice.Peers(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"dora here []"}, peersOf(list))
		synctest.Wait()
		require.Len(t, came, 6) // bob, carol and erin went, for both
		stop()
		waits.Wait()
	})
}

// TestPeersTogether has many ask at once: those who come while a list is under way share the next.
func TestPeersTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		asked, open := 0, make(chan struct{})
		answer(h, service.Presence, func(context.Context, service.PresenceRequest) (service.PresencePage, error) {
			asked++
			<-open
			return service.PresencePage{Epoch: make([]byte, 16), All: true, Peers: []service.Peer{somebody(t, "bob")}}, nil
		})
		alice := h.dial(nil)
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				if list, err := alice.Peers(t.Context()); err != nil || len(list) != 1 {
					t.Error(list, err)
				}
			})
		}
		synctest.Wait()
		require.Equal(t, 1, asked)
		close(open)
		calls.Wait()
		require.Equal(t, 2, asked)
	})
}

// TestPeersGivenUp ends a call between two pages: another begins the list again, and a loop gets all of it.
func TestPeersGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		epoch := make([]byte, 16)
		pages := make(chan service.PresencePage, 3)
		var requests []uint64
		answer(h, service.Presence, func(ctx context.Context, r service.PresenceRequest) (service.PresencePage, error) {
			requests = append(requests, r.After)
			select {
			case page := <-pages:
				return page, nil
			case <-ctx.Done():
				return service.PresencePage{}, ctx.Err()
			}
		})
		first := service.PresencePage{Epoch: epoch, All: true, More: true, To: 7, Peers: []service.Peer{somebody(t, "bob")}}
		second := service.PresencePage{Epoch: epoch, To: 8, Peers: []service.Peer{somebody(t, "carol")}}
		alice := h.dial(nil)
		give, why := context.WithCancelCause(t.Context())
		gaveUp := make(chan error, 1)
		go func() {
			_, err := alice.Peers(give)
			gaveUp <- err
		}()
		pages <- first
		synctest.Wait()
		loop := watch(t, t.Context(), alice)
		defer loop.stop()
		loop.sees("bob was here") // it is told already
		enough := errors.New("enough")
		why(enough)
		require.ErrorIs(t, <-gaveUp, enough)
		synctest.Wait() // the server has heard of it

		pages <- first
		pages <- second
		list, err := alice.Peers(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"bob here []", "carol here []"}, peersOf(list))
		loop.sees("carol was here")
		require.Equal(t, []uint64{0, 7, 0, 7}, requests)
	})
}

// TestPeersGivenUpTogether ends calls of which one asks and the others wait, as a loop does, which goes on.
func TestPeersGivenUpTogether(t *testing.T) {
	for range 5 { // who hears of it first is chance
		bubble(t, func(t *testing.T) {
			h := newHub(t)
			p := &presences{epoch: 1, changed: make(chan struct{}), page: 2}
			var slow atomic.Bool
			answer(h, service.Presence, func(ctx context.Context, r service.PresenceRequest) (service.PresencePage, error) {
				if slow.Load() {
					<-ctx.Done()
					return service.PresencePage{}, ctx.Err()
				}
				return p.answer(ctx, r)
			})
			p.change(somebody(t, "bob"))
			alice := h.dial(nil)
			loop := watch(t, t.Context(), alice)
			defer loop.stop()
			loop.sees("bob was here")
			slow.Store(true)
			ctx, cancel := context.WithCancel(t.Context())
			var calls sync.WaitGroup
			for range 20 {
				calls.Go(func() {
					if _, err := alice.Peers(ctx); !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				})
			}
			came := make(chan string, 1)
			calls.Go(func() {
				for e := range alice.Presence(t.Context()) {
					if e.Kind == channel.Came {
						came <- e.Peer.Name
						return
					}
				}
			})
			synctest.Wait()
			slow.Store(false)
			cancel()
			synctest.Wait()
			p.change(somebody(t, "carol"))
			require.Equal(t, "carol", <-came)
			calls.Wait()
		})
	}
}

// TestPeersOverLosses loses the session between two pages.
func TestPeersOverLosses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		asked := 0
		answer(h, service.Presence, func(ctx context.Context, r service.PresenceRequest) (service.PresencePage, error) {
			page := service.PresencePage{Epoch: make([]byte, 16), All: true, More: true, To: 7, Peers: []service.Peer{somebody(t, "bob")}}
			switch asked++; asked {
			case 1:
				return page, nil
			case 2:
				h.net.cut()
				<-ctx.Done()
				return page, ctx.Err()
			}
			page.Peers[0].Name, page.Epoch[0], page.More = "carol", 1, false
			return page, nil
		})
		list, err := h.dial(nil).Peers(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"carol here []"}, peersOf(list))
		require.Equal(t, 3, asked)
	})
}

func TestPeersFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		alice := h.dial(nil)
		_, err := alice.Peers(t.Context())
		require.ErrorIs(t, err, channel.CodeNoHandler)

		var say error
		var page service.PresencePage
		answer(h, service.Presence, func(context.Context, service.PresenceRequest) (service.PresencePage, error) { return page, say })
		careful := h.dial(func(c *client.Config) { c.FailOffline = true })
		say = channel.CodeRefused
		_, err = careful.Peers(t.Context())
		require.ErrorIs(t, err, channel.CodeRefused)
		say = channel.CodeBusy // which passes
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = careful.Peers(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = careful.Peers(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		say = nil
		_, err = careful.Peers(t.Context())
		var bad *channel.Error
		require.ErrorAs(t, err, &bad)
		require.Equal(t, channel.CodeBadMessage, bad.Code)
		require.False(t, bad.Remote)
		page = service.PresencePage{Epoch: make([]byte, 16), All: true}
		list, err := careful.Peers(t.Context())
		require.NoError(t, err)
		require.NotNil(t, list)
		require.Empty(t, list)

		h.net.fail(true)
		synctest.Wait()
		_, err = careful.Peers(t.Context())
		require.ErrorIs(t, err, client.ErrOffline)
		require.NoError(t, careful.Close())
		_, err = careful.Peers(t.Context())
		require.ErrorIs(t, err, channel.ErrClosed)
	})
}
