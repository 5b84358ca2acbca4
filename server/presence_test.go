package server_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// viewer is a client that follows presence as docs/protocol.md, section 18, says.
type viewer struct {
	*member
	page   service.PresencePage // the last
	asked  *asked[service.PresencePage]
	knows  map[string]service.Peer // by key
	list   map[string]bool         // while a list is under way: who was on it
	groups []string                // that it is in, if it has joined and left some
}

func (m *member) viewer() *viewer { return &viewer{member: m, knows: map[string]service.Peer{}} }

// ask begins the next request.
func (v *viewer) ask() {
	v.asked = begin[service.PresencePage](v.member, service.Presence, service.PresenceRequest{Epoch: v.page.Epoch, After: v.page.To})
}

// take takes the answer.
func (v *viewer) take() service.PresencePage {
	page, err := v.asked.answer()
	require.NoError(v.w.t, err)
	v.page = page
	if page.All {
		v.list = map[string]bool{}
	}
	for _, p := range page.Peers {
		if v.list != nil {
			v.list[string(p.Key)] = true
		}
		if v.knows[string(p.Key)] = p; p.State == service.Left {
			delete(v.knows, string(p.Key))
		}
	}
	if v.list != nil && !page.More {
		for key := range v.knows {
			if !v.list[key] {
				delete(v.knows, key)
			}
		}
		v.list = nil
	}
	return page
}

// next asks and waits for the answer.
func (v *viewer) next() service.PresencePage {
	v.ask()
	return v.take()
}

// names are those of who is known to be here or away, sorted.
func (v *viewer) names() []string {
	var names []string
	for _, p := range v.knows {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// states is a page in short: names, for who is away with a tilde, and nothing but "-" for who left.
func states(page service.PresencePage) []string {
	var out []string
	for _, p := range page.Peers {
		out = append(out, map[uint8]string{service.Here: "", service.Away: "~", service.Left: "-"}[p.State]+p.Name)
	}
	return out
}

// TestPresence follows who comes, changes and goes, in order, with what comes close together in one answer.
func TestPresence(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		v := w.member("alice", inGroups("g")).viewer()
		page := v.next()
		require.True(t, page.All)
		require.False(t, page.More)
		require.Len(t, page.Epoch, 16)
		require.Equal(t, []service.Peer{{Name: "alice", Key: w.files["alice"].Public.Bytes(), Groups: []string{"g"},
			Since: v.session().Since().UnixMilli()}}, page.Peers)

		v.ask()
		<-time.After(time.Hour)
		require.True(t, v.asked.waits(), "as long as nothing happens")
		_, err := query[any](v.member, service.Presence, service.PresenceRequest{})
		require.ErrorIs(t, err, channel.CodeBusy)
		require.True(t, v.asked.waits())

		began := time.Now()
		bob := w.member("bob", nil)
		synctest.Wait()
		require.True(t, v.asked.waits(), "there may be more")
		carol := w.member("carol", nil)
		_, err = bob.rename("bobby")
		require.NoError(t, err)
		page = v.take()
		require.Equal(t, 100*time.Millisecond, time.Since(began))
		require.False(t, page.All)
		require.Equal(t, []string{"carol", "bobby"}, states(page), "each once, in the order of their last change")

		v.ask()
		bob.cut()
		require.Equal(t, []string{"~bobby"}, states(v.take()))
		v.ask()
		require.NoError(t, bob.comeBack())
		synctest.Wait() // until the server has noted it, which is not before he is welcome
		_, err = carol.join("h")
		require.NoError(t, err)
		page = v.take()
		require.Equal(t, []string{"bobby", "carol"}, states(page))
		require.Equal(t, []string{"h"}, page.Peers[1].Groups)
		v.ask()
		go func() { _ = bob.session().Close() }()
		page = v.take()
		require.Equal(t, []service.Peer{{Key: w.files["bob"].Public.Bytes(), State: service.Left}}, page.Peers)
		require.Equal(t, []string{"alice", "carol"}, v.names())

		// A transient session is not listed; a new one of the same key takes the old one's place.
		w.member("bob", func(h *wire.Hello) { offer(h); h.Transient = true })
		w.member("carol", nil)
		page = v.next()
		require.Equal(t, []string{"carol"}, states(page))
		require.Empty(t, page.Peers[0].Groups)

		// Changes that happened between two requests come with the second.
		w.member("bob", nil)
		synctest.Wait()
		began = time.Now()
		require.Equal(t, []string{"bob"}, states(v.next()))
		require.LessOrEqual(t, time.Since(began), 100*time.Millisecond)
	})
}

// TestPresenceEnds: a request ends with its ctx, its session, and the server.
func TestPresenceEnds(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, _ *received) {
		v := w.member("alice", nil).viewer()
		v.next()
		v.ask()
		v.asked.cancel()
		require.False(t, v.asked.waits())
		v.ask()
		require.True(t, v.asked.waits(), "the place is free again")
		bob := w.member("bob", nil).viewer()
		bob.next()
		bob.ask()
		go func() { _ = bob.link.Close(0, "") }()
		synctest.Wait()
		require.Zero(t, w.Stats().Ending)
		require.Equal(t, []string{"-"}, states(v.take()))
		v.ask()
		require.True(t, v.asked.waits())
		began := time.Now()
		require.NoError(t, w.Shutdown(t.Context()))
		require.Equal(t, began, time.Now())
		_, err := v.asked.answer()
		require.ErrorIs(t, err, channel.CodeShutdown)
	})
}

// TestPresencePages reads a list that is too long for one answer, while it changes.
func TestPresencePages(t *testing.T) {
	var names []string
	for i := range 270 {
		names = append(names, fmt.Sprintf("m%03d", i))
	}
	inHubOf(t, names, allowAll, func(t *testing.T, w *bubble, _ *received) {
		members := make([]*member, len(names))
		for i, name := range names {
			members[i] = w.member(name, nil)
		}
		v := members[0].viewer()
		page := v.next()
		require.True(t, page.All)
		require.True(t, page.More)
		require.Len(t, page.Peers, service.MaxPage)
		_, err := members[7].rename("lucky")
		require.NoError(t, err)
		began := time.Now()
		page = v.next()
		require.Equal(t, began, time.Now(), "what follows is not waited for")
		require.False(t, page.All)
		require.False(t, page.More)
		require.Equal(t, "lucky", page.Peers[len(page.Peers)-1].Name)
		want := slices.Clone(names)
		want[7] = "lucky"
		slices.Sort(want)
		require.Equal(t, want, v.names())

		// Long names and many groups make pages shorter: each is answered without asking for room.
		for _, m := range members {
			for i := range 8 {
				require.NoError(t, m.session().JoinGroup(fmt.Sprintf("%060d", i)))
			}
		}
		other := members[1].viewer()
		n := 0
		for more := true; more; n++ {
			page = other.next()
			body, err := channel.Marshal(page)
			require.NoError(t, err)
			require.Less(t, len(body), 60<<10)
			require.Equal(t, n == 0, page.All)
			more = page.More
		}
		require.Greater(t, n, 2)
		require.Len(t, other.knows, len(names))
	})
}

// TestPresenceForgets: who asks from before somebody was forgotten who has left gets the whole
// list, and so does who knows another epoch or asks for the future.
func TestPresenceForgets(t *testing.T) {
	inHubOf(t, []string{"alice", "bob", "carol", "dave"}, func(s *server.Server) {
		s.Limits.MaxSessions = 2 // and so many that have left are remembered
	}, func(t *testing.T, w *bubble, _ *received) {
		v := w.member("alice", nil).viewer()
		pass := func(name string) (there, left service.PresencePage) {
			m := w.member(name, nil)
			there = v.next()
			sess := m.session()
			go func() { _ = sess.Close() }()
			<-m.link.Context().Done()
			m.leave()
			<-time.After(10 * time.Second) // as long as it may take until its place is free
			return there, v.next()
		}
		before, after := pass("bob")
		require.Equal(t, []string{"-"}, states(after))
		pass("carol")
		pass("dave")
		require.Equal(t, []string{"alice"}, v.names())

		v.page, v.knows[string(w.files["bob"].Public.Bytes())] = before, service.Peer{Name: "bob"}
		page := v.next()
		require.True(t, page.All, "that bob has left is forgotten")
		require.Equal(t, []string{"alice"}, states(page))
		require.Equal(t, []string{"alice"}, v.names())
		// Who has come back and left again is remembered once.
		v.page = after
		pass("dave")
		pass("dave")
		v.page = after
		page = v.next()
		require.False(t, page.All)
		require.Equal(t, []string{"-", "-"}, states(page))
		for _, bad := range []service.PresenceRequest{{Epoch: page.Epoch, After: 1 << 40}, {Epoch: make([]byte, 16), After: page.To},
			{After: page.To}, {Epoch: []byte{1}}} {
			got, err := query[service.PresencePage](v.member, service.Presence, bad)
			require.NoError(t, err)
			require.True(t, got.All)
			require.Equal(t, []string{"alice"}, states(got), "those that have left are not listed")
		}
		for _, name := range []string{"bob", "carol", "dave", "bob", "carol", "dave"} {
			pass(name)
		}
		require.LessOrEqual(t, w.PresenceSlots(), 4, "what is kept for those who ask does not grow")
	})
}

// TestPresenceStaysSmall has clients change and leave without end: the list has no more than who is
// here and so many that have left.
func TestPresenceStaysSmall(t *testing.T) {
	inHub(t, func(s *server.Server) {
		allowAll(s)
		s.Limits.MaxSessions = 3
	}, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", nil).session()
		for i := range 1000 {
			require.NoError(t, alice.Rename(fmt.Sprint("a", i)))
			if i%50 == 0 {
				m := w.member("bob", nil)
				sess := m.session()
				go func() { _ = sess.Close() }()
				<-m.link.Context().Done()
				synctest.Wait()
			}
		}
		require.Less(t, w.PresenceHeld(), 300)
	})
}

// TestWaitersAreSmall parks as many requests as a client may, and compares what that takes with Limits.Memory.
func TestWaitersAreSmall(t *testing.T) {
	inHub(t, func(s *server.Server) {
		s.Histories = map[string]*channel.History{"news": channel.NewHistory(channel.HistoryConfig{})}
	}, func(t *testing.T, w *bubble, _ *received) {
		v := w.member("alice", nil).viewer()
		v.next()
		synctest.Wait()
		before := inUse()
		v.ask()
		var waiting []*asked[service.HistoryPage]
		for range 8 {
			waiting = append(waiting, begin[service.HistoryPage](v.member, service.History,
				service.HistoryRequest{Name: "news", Wait: true}))
		}
		require.Less(t, inUse()-before, int64(9*8<<10), "heap of both sides")
		w.member("bob", nil)
		v.take()
		_, err := w.Broadcast(t.Context(), "news", nil)
		require.NoError(t, err)
		for _, a := range waiting {
			_, err := a.answer()
			require.NoError(t, err)
		}
	})
}

// TestPresenceListEnds reads a list of several pages on a server that has forgotten many since most of it last changed.
func TestPresenceListEnds(t *testing.T) {
	const here, passing = 50, 54
	var names []string
	for i := range here + passing {
		names = append(names, fmt.Sprint("m", i))
	}
	var groups []string
	for i := range wire.MaxGroups {
		groups = append(groups, fmt.Sprintf("%064d", i))
	}
	inHubOf(t, names, func(s *server.Server) {
		allowAll(s)
		s.Limits.MaxSessions = here + 1
	}, func(t *testing.T, w *bubble, _ *received) {
		var v *viewer
		for _, name := range names[:here] {
			v = w.member(name, inGroups(groups...)).viewer()
		}
		var left *member
		for _, name := range names[here:] {
			left = w.member(name, nil)
			sess := left.session()
			go func() { _ = sess.Close() }()
			<-left.link.Context().Done()
			left.leave()
			<-time.After(10 * time.Second)
		}
		require.True(t, v.next().All)
		require.True(t, v.page.More)
		pages := 1
		for v.page.More {
			require.False(t, v.next().All, "it goes on")
			pages++
		}
		require.Less(t, pages, here)
		require.Len(t, v.names(), here)
		v.ask()
		<-time.After(time.Minute)
		require.True(t, v.asked.waits())
	})
}
