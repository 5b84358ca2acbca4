package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/service"
)

func TestPresence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := newHub(t)
		p := newPresences(h)
		bob, carol, dora := somebody(t, "bob"), somebody(t, "carol"), somebody(t, "dora")
		p.change(bob, away(carol), dora)
		alice := h.dial(nil)
		w := watch(t, ctx, alice)
		defer w.stop()
		w.sees("bob was here", "carol was here", "dora was here")
		w.sees("listed")

		step := func(want string, peers ...service.Peer) {
			t.Helper()
			p.change(peers...)
			w.sees(strings.Split(want, ", ")...)
		}
		step("carol came back", carol)
		step("bob went away", away(bob))
		step("bob came back", bob)
		step("dora went", left(dora))
		step("dora came", dora)
		robert := with(bob, func(p *service.Peer) { p.Name = "robert" })
		step("robert renamed from bob", robert)
		step("robert groups changed [] [a b]", with(robert, func(p *service.Peer) { p.Groups = []string{"a", "b"} }))
		step("robert went, bob came", with(bob, func(p *service.Peer) { p.Since++ }))

		// What came and went meanwhile is not told of, and of several changes only what they amount to.
		erin := somebody(t, "erin")
		p.change(erin, away(carol))
		p.change(left(erin), carol)
		step("dora went away", away(dora))

		cancel()
		w.ends(nil)
		require.NoError(t, alice.Close())
	})
}

// TestPresenceOverLosses loses connections, and then the server.
func TestPresenceOverLosses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		p := newPresences(h)
		bob, carol, dora := somebody(t, "bob"), somebody(t, "carol"), somebody(t, "dora")
		p.change(bob, carol)
		alice := h.dial(func(c *client.Config) { c.FailOffline = true })
		w := watch(t, t.Context(), alice)
		defer w.stop()
		w.sees("bob was here", "carol was here")
		w.sees("listed")

		h.net.fail(true)
		p.change(left(carol), dora)
		time.AfterFunc(time.Minute, func() { h.net.fail(false) })
		w.sees("carol went", "dora came")

		h.net.cut()
		p.anew(bob, away(dora), carol, somebody(t, "erin"))
		w.sees("carol came", "dora went away", "erin came")
		h.net.cut()
		p.anew()
		w.sees("bob went", "carol went", "dora went", "erin went")
		p.change(bob)
		w.sees("bob came")
		require.NoError(t, alice.Close())
		w.ends(channel.ErrClosed)
	})
}

// TestPresenceShared has several loops: one request is under way for all.
func TestPresenceShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		p := newPresences(h)
		bob, carol := somebody(t, "bob"), somebody(t, "carol")
		p.change(bob)
		alice := h.dial(nil)
		var loops sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		seen := map[string]int{}
		loop := func(ctx context.Context, until string) {
			for e, err := range alice.Presence(ctx) {
				if err != nil {
					panic(err)
				}
				what := strings.TrimSpace(e.Peer.Name + " " + e.Kind.String())
				mu.Lock()
				seen[what]++
				mu.Unlock()
				if what == until {
					return
				}
			}
		}
		for range 3 {
			loops.Go(func() { loop(ctx, "") })
		}
		for range 2 {
			loops.Go(func() { loop(t.Context(), "bob went") })
		}
		synctest.Wait()
		slow := watch(t, t.Context(), alice) // who joins later, and takes its time
		defer slow.stop()
		slow.sees("bob was here")
		p.change(carol)
		synctest.Wait()
		p.change(away(carol), left(bob))
		synctest.Wait()
		asking, most, _ := p.counts()
		require.Equal(t, 1, asking)
		require.Zero(t, most, "two at once")
		cancel()
		loops.Wait()
		require.Equal(t, map[string]int{"bob was here": 5, "listed": 5, "carol came": 5, "carol went away": 5, "bob went": 5}, seen)

		slow.sees("listed") // though it has been over for long
		slow.sees("bob went", "carol came")
		synctest.Wait()
		asking, _, _ = p.counts()
		require.Zero(t, asking, "nobody waits")
		slow.stop()

		// One that begins anew knows nothing from before.
		w := watch(t, t.Context(), alice)
		defer w.stop()
		w.sees("carol was here")
		w.sees("listed")
	})
}

// TestPresenceOfOneOfTwo ends a loop that waits for what another asks: its ctx ends, and the other goes on.
func TestPresenceOfOneOfTwo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		p := newPresences(h)
		p.change(somebody(t, "bob"))
		alice := h.dial(nil)
		seen := make(chan string, 10)
		go func() {
			for e := range alice.Presence(t.Context()) {
				if e.Kind != channel.Listed {
					seen <- e.Peer.Name
				}
			}
		}()
		require.Equal(t, "bob", <-seen)
		synctest.Wait() // it asks
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		for e, err := range alice.Presence(ctx) {
			require.NoError(t, err)
			require.Contains(t, []channel.PresenceKind{channel.WasHere, channel.Listed}, e.Kind)
		}
		require.Equal(t, time.Second, time.Since(begun))
		p.change(somebody(t, "carol"))
		require.Equal(t, "carol", <-seen)
	})
}

// TestPresenceRefused ends with the server's word; another time it lets the client wait.
func TestPresenceRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		var say error
		asked := 0
		answer(h, service.Presence, func(context.Context, service.PresenceRequest) (service.PresencePage, error) {
			asked++
			return service.PresencePage{}, say
		})
		alice := h.dial(nil)
		say = &channel.Error{Code: channel.CodeRefused, Text: "not you \x1b[31m"}
		for range 2 {
			w := watch(t, t.Context(), alice)
			w.ends(channel.CodeRefused)
		}
		synctest.Wait()
		require.Equal(t, 2, asked)
		for _, code := range []channel.Code{channel.CodeBusy, channel.CodeShutdown, channel.CodeTimeout, channel.CodeCanceled} {
			say, asked = code, 0
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			w := watch(t, ctx, alice)
			w.ends(nil)
			cancel()
			synctest.Wait()
			require.Greater(t, asked, 20)
			require.Less(t, asked, 200)
		}
		require.NoError(t, alice.Context().Err())
	})
}

// TestLyingPresence has the server give pages that cannot be.
func TestLyingPresence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		var pages []service.PresencePage
		asked := 0
		answer(h, service.Presence, func(ctx context.Context, r service.PresenceRequest) (service.PresencePage, error) {
			asked++
			if len(pages) == 0 {
				<-ctx.Done()
				return service.PresencePage{}, ctx.Err()
			}
			page := pages[0]
			if len(pages) > 1 {
				pages = pages[1:]
			}
			return page, nil
		})
		alice := h.dial(nil)
		epoch := make([]byte, 16)
		first := service.PresencePage{Epoch: epoch, All: true, To: 5}
		peers := func(n int) []service.Peer { return slices.Repeat([]service.Peer{somebody(t, "bob")}, n) }
		for name, lie := range map[string][]service.PresencePage{
			"no epoch":     {{All: true}},
			"a long epoch": {{Epoch: make([]byte, 17), All: true}},
			"too many":     {{Epoch: epoch, All: true, Peers: peers(257)}},
			"a bad name": {{Epoch: epoch, All: true, Peers: []service.Peer{with(somebody(t, "bob"), func(p *service.Peer) {
				p.Name = "b\nb"
			})}}},
			"another epoch":      {first, {Epoch: slices.Repeat([]byte{1}, 16), To: 6, Peers: peers(1)}},
			"an earlier place":   {first, {Epoch: epoch, To: 4, Peers: peers(1)}},
			"a state":            {{Epoch: epoch, All: true, Peers: []service.Peer{with(somebody(t, "bob"), func(p *service.Peer) { p.State = 9 })}}},
			"left, without keys": {{Epoch: epoch, All: true, Peers: []service.Peer{{State: service.Left}}}},
		} {
			synctest.Wait()
			pages = lie
			var err error
			for _, err = range alice.Presence(t.Context()) {
			}
			var bad *channel.Error
			require.ErrorAs(t, err, &bad, name)
			require.Equal(t, channel.CodeBadMessage, bad.Code, name)
			require.False(t, bad.Remote, name)
			require.NotContains(t, err.Error(), "\n")
		}

		// One that answers at once and says nothing is not asked as fast as it answers.
		synctest.Wait()
		pages, asked = []service.PresencePage{first, {Epoch: epoch, To: 5}}, 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := watch(t, ctx, alice)
		w.sees("listed")
		w.ends(nil)
		synctest.Wait()
		require.Less(t, asked, 200)
	})
}

// TestPresenceListEnds has the list end with a page that has nobody on it: who comes after that was
// not here. That it has ended is told also to who looks at it later, before what has come since,
// and once.
func TestPresenceListEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		epoch := make([]byte, 16)
		pages := make(chan service.PresencePage, 3)
		answer(h, service.Presence, func(ctx context.Context, r service.PresenceRequest) (service.PresencePage, error) {
			select {
			case page := <-pages:
				return page, nil
			case <-ctx.Done():
				return service.PresencePage{}, ctx.Err()
			}
		})
		alice := h.dial(nil)
		w := watch(t, t.Context(), alice)
		defer w.stop()
		bob := []service.Peer{somebody(t, "bob")}
		pages <- service.PresencePage{Epoch: epoch, All: true, More: true, To: 7, Peers: bob}
		pages <- service.PresencePage{Epoch: epoch, To: 7}
		pages <- service.PresencePage{Epoch: epoch, To: 8, Peers: []service.Peer{somebody(t, "carol")}}
		w.sees("bob was here")
		w.sees("listed")
		w.sees("carol came")

		late := watch(t, t.Context(), alice)
		defer late.stop()
		late.sees("bob was here", "carol was here")
		pages <- service.PresencePage{Epoch: epoch, To: 9, Peers: []service.Peer{somebody(t, "dora")}}
		w.sees("dora came")
		late.sees("listed")
		late.sees("dora came")
		pages <- service.PresencePage{Epoch: slices.Repeat([]byte{1}, 16), All: true, To: 1, Peers: bob}
		w.sees("carol went", "dora went")
		late.sees("carol went", "dora went")
	})
}

// TestPresenceOfNobody has an empty list, which ends all the same.
func TestPresenceOfNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		p := newPresences(h)
		alice := h.dial(nil)
		for range 2 {
			w := watch(t, t.Context(), alice)
			defer w.stop()
			w.sees("listed")
		}
		w := watch(t, t.Context(), alice)
		defer w.stop()
		w.sees("listed")
		p.change(somebody(t, "bob"))
		w.sees("bob came")
	})
}

// TestPresenceLeavesNothing breaks out of a loop: the server is not asked any more, and nothing is left of it.
func TestPresenceLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		p := newPresences(h)
		p.change(somebody(t, "bob"))
		alice := h.dial(nil)
		for range alice.Presence(t.Context()) {
			break
		}
		synctest.Wait()
		asking, _, asked := p.counts()
		require.Zero(t, asking)
		require.Equal(t, 1, asked)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("enough")) })
		for _, err := range alice.Presence(ctx) {
			require.NoError(t, err)
		}
		synctest.Wait()
		asking, _, asked = p.counts()
		require.Zero(t, asking)
		require.Equal(t, 3, asked)
	})
}
