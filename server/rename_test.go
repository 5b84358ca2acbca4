package server_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// rename asks for a name, and returns that which the server says it is.
func (m *member) rename(name string) (string, error) {
	resp, err := query[service.NameRequest](m, service.Rename, service.NameRequest{Name: name})
	return resp.Name, err
}

// TestRename gives a client another name, and back that which it came with.
func TestRename(t *testing.T) {
	var mu sync.Mutex
	var from []string
	inHub(t, func(s *server.Server) {
		allowAll(s)
		s.Handler.Handle("who", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			mu.Lock()
			defer mu.Unlock()
			from = append(from, m.From.Name)
			return nil
		})
	}, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		sess := alice.session()
		who := func() { require.NoError(t, alice.link.Send(t.Context(), "who", channel.Raw, nil)) }
		who()
		synctest.Wait()
		got, err := alice.rename("al")
		require.NoError(t, err)
		require.Equal(t, "al", got)
		who()
		require.Equal(t, "al", sess.Peer().Name)
		for _, name := range []string{"alice", "al"} {
			found, ok := w.Session(name)
			require.True(t, ok, name)
			require.Same(t, sess, found)
			// Pipes go to either name, and come from the one that it came with: who is called counts by it.
			_, err = bob.link.OpenPipe(wire.PipeOpen{ID: [16]byte{1}, Opener: "bob", Target: name})
			require.NoError(t, err)
			require.NotNil(t, <-alice.pipes)
			pipe, err := alice.link.OpenPipe(wire.PipeOpen{ID: [16]byte{2}, Opener: name, Target: "bob"})
			require.NoError(t, err)
			if name == "alice" {
				require.NotNil(t, <-bob.pipes)
			} else {
				_, err = pipe.Read(make([]byte, 1))
				require.ErrorIs(t, err, channel.CodeRefused)
				require.Empty(t, bob.pipes)
			}
		}
		// The name is nobody else's as long as it is used, nor one that looks like it, and then it is free.
		for _, name := range []string{"al", "AL", "alice", "Alice", "carol", "CAROL"} {
			_, err = bob.rename(name)
			require.ErrorIs(t, err, channel.CodeNameTaken, name)
		}
		got, err = alice.rename("Alice")
		require.NoError(t, err, "it looks like its own")
		require.Equal(t, "Alice", got)
		got, err = bob.rename("al")
		require.NoError(t, err)
		require.Equal(t, "al", got)
		got, err = alice.rename("")
		require.NoError(t, err)
		require.Equal(t, "alice", got)
		who()
		synctest.Wait()
		mu.Lock()
		require.Equal(t, []string{"alice", "al", "alice"}, from)
		mu.Unlock()

		bob.leave()
		bob.raw.Cut()
		sessB, _ := w.Session("al")
		go func() { _ = sessB.Close() }()
		<-sessB.Context().Done()
		synctest.Wait()
		got, err = alice.rename("al")
		require.NoError(t, err, "its session has ended")
		require.Equal(t, "al", got)
		all, run := w.NamesInUse()
		require.Equal(t, 2, all)
		require.Equal(t, 1, run)
		go func() { _ = sess.Close() }()
		synctest.Wait()
		all, run = w.NamesInUse()
		require.Zero(t, all+run)
		require.ErrorIs(t, sess.Rename("x"), channel.ErrClosed)
	})
}

// TestRenameOfTransient is refused: nobody finds one.
func TestRenameOfTransient(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		m := w.member("alice", func(h *wire.Hello) { offer(h); h.Transient = true })
		_, err := m.rename("al")
		require.ErrorIs(t, err, channel.CodeRefused)
	})
}

// TestRenamedIsReplaced lets a renamed client connect again: the older session ends, and the newer
// has the name that stands on the list.
func TestRenamedIsReplaced(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		first := w.member("alice", inGroups("g"))
		_, err := first.rename("al")
		require.NoError(t, err)
		second := w.member("alice", inGroups("g"))
		synctest.Wait()
		require.ErrorIs(t, context.Cause(first.link.Context()), channel.CodeReplaced)
		require.Equal(t, "alice", second.session().Peer().Name)
		_, there := w.Session("al")
		require.False(t, there)
		require.Equal(t, 1, w.Group("g").Len())
		all, run := w.NamesInUse()
		require.Equal(t, 1, all)
		require.Zero(t, run)
	})
}

// TestReloadAfterRename: what counts on the list is the name that a client came with. One that it
// has taken, and that is now another's, it loses.
func TestReloadAfterRename(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		for m, name := range map[*member]string{alice: "al", bob: "Dave"} {
			_, err := m.rename(name)
			require.NoError(t, err)
		}
		list := *w.Keys
		list.Clients = map[string]keys.PublicKey{"dave": testworld.NewKey(t, "dave").Public}
		for name, key := range w.Keys.Clients {
			list.Clients[name] = key
		}
		a, b := alice.session(), bob.session()
		require.NoError(t, w.Reload(&list))
		require.NoError(t, a.Context().Err())
		require.NoError(t, b.Context().Err())
		require.Equal(t, "al", a.Peer().Name)
		require.Equal(t, "bob", b.Peer().Name)
		delete(list.Clients, "alice")
		list.Clients["al"] = w.files["alice"].Public
		require.NoError(t, w.Reload(&list))
		<-alice.link.Context().Done()
		require.ErrorIs(t, context.Cause(alice.link.Context()), channel.CodeRevoked)
	})
}

// TestRenameOnOpenServer: names of the book count, and who comes with a name that another has taken is refused.
func TestRenameOnOpenServer(t *testing.T) {
	inBubbleOf(t, nil, func(s *server.Server) {
		allowAll(s)
		s.Keys.Open = true
		s.Handler = new(channel.Mux)
	}, func(t *testing.T, w *bubble) {
		for _, name := range []string{"alice", "bob", "carol"} {
			w.files[name] = testworld.NewKey(t, name)
		}
		bob := w.member("bob", nil)
		bob.leave()
		bob.raw.Cut()
		alice := w.member("alice", nil)
		for _, name := range []string{"bob", "BOB"} {
			_, err := alice.rename(name)
			require.ErrorIs(t, err, channel.CodeNameTaken, "it is another's, here or not")
		}
		_, err := alice.rename("Carol")
		require.NoError(t, err)
		_, err = w.tryMember("carol", nil, nil)
		requireRefused(t, channel.CodeNameTaken, err, "it looks like one that is in use")
		require.NoError(t, alice.session().Close())
		synctest.Wait()
		w.member("carol", nil)
	})
}

// TestRenameToWhoIsJoining is refused: nobody has the name yet, and one who wants it has been found
// to have a right to it and waits until there is room.
func TestRenameToWhoIsJoining(t *testing.T) {
	var hold chan struct{}
	inBubbleOf(t, nil, func(s *server.Server) {
		allowAll(s)
		hold = make(chan struct{})
		s.Keys.Open, s.Limits.MaxSessions = true, 2
		s.Handler = new(channel.Mux)
		s.Handler.Handle("work", func(context.Context, channel.Conn, *channel.Message) error {
			<-hold
			return nil
		})
	}, func(t *testing.T, w *bubble) {
		for _, name := range []string{"alice", "bob", "prize"} {
			w.files[name] = testworld.NewKey(t, name)
		}
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		bob.say("x")
		synctest.Wait()
		bob.cut()
		entered := make(chan error, 1)
		go func() {
			_, err := w.tryMember("prize", nil, nil)
			entered <- err
		}()
		synctest.Wait()
		require.Empty(t, entered)
		for _, name := range []string{"prize", "Prize"} {
			_, err := alice.rename(name)
			require.ErrorIs(t, err, channel.CodeNameTaken, name)
		}
		close(hold)
		require.NoError(t, <-entered)
		_, ok := w.Session("prize")
		require.True(t, ok)
	})
}

// TestRenameRaces lets many want one name at the same time, among them one who comes with it: one has it.
func TestRenameRaces(t *testing.T) {
	const n = 8
	for round := range 9 {
		inBubbleOf(t, nil, func(s *server.Server) {
			allowAll(s)
			s.Keys.Open = true
			s.Handler = new(channel.Mux)
		}, func(t *testing.T, w *bubble) {
			members := make([]*member, n)
			for i := range members {
				name := fmt.Sprint("m", i)
				w.files[name] = testworld.NewKey(t, name)
				members[i] = w.member(name, nil)
			}
			w.files["prize"] = testworld.NewKey(t, "prize")
			var mu sync.Mutex
			won := 0
			all := new(sync.WaitGroup)
			for i := range n + 1 {
				all.Go(func() {
					var err error
					if i == round%(n+1) {
						_, err = w.tryMember("prize", nil, nil)
					} else {
						_, err = members[i%n].rename("prize")
					}
					if err == nil {
						mu.Lock()
						won++
						mu.Unlock()
					}
				})
			}
			all.Wait()
			if round%(n+1) == n {
				require.LessOrEqual(t, won, 1)
			}
			synctest.Wait()
			have := 0
			for sess := range w.Sessions() {
				if sess.Peer().Name == "prize" {
					have++
				}
			}
			require.Equal(t, 1, have)
			found, ok := w.Session("prize")
			require.True(t, ok)
			require.Equal(t, "prize", found.Peer().Name)
		})
	}
}

// TestLookAlikeOfReleased: a session keeps its name from those that look like it, also when neither
// the list nor the book has it any more.
func TestLookAlikeOfReleased(t *testing.T) {
	book, err := server.OpenNames("", nil)
	require.NoError(t, err)
	inBubbleOf(t, []string{"alice", "bob"}, func(s *server.Server) {
		allowAll(s)
		s.Keys.Open, s.Names = true, book
		s.Handler = new(channel.Mux)
	}, func(t *testing.T, w *bubble) {
		for _, name := range []string{"carol", "Carol", "Alice"} {
			w.files[name] = testworld.NewKey(t, name)
		}
		alice, bob, carol := w.member("alice", nil), w.member("bob", nil), w.member("carol", nil)
		list := *w.Keys
		list.Clients = map[string]keys.PublicKey{"bob": w.files["bob"].Public}
		require.NoError(t, w.Reload(&list))
		require.NoError(t, book.Release("carol"))
		for _, name := range []string{"Alice", "Carol"} {
			_, err := bob.rename(name)
			require.ErrorIs(t, err, channel.CodeNameTaken, name)
			_, err = w.tryMember(name, nil, nil)
			requireRefused(t, channel.CodeNameTaken, err, name)
		}
		got, err := carol.rename("CAROL")
		require.NoError(t, err, "it is its own")
		require.Equal(t, "CAROL", got)
		for _, m := range []*member{alice, carol} {
			require.NoError(t, m.session().Close())
		}
		synctest.Wait()
		w.member("Carol", nil)
		_, err = bob.rename("Alice")
		require.NoError(t, err)
	})
}

// TestLookAlikesOnTheList are let in side by side: that is the operator's choice. What looks like
// them is nobody else's until both have left.
func TestLookAlikesOnTheList(t *testing.T) {
	inHubOf(t, []string{"alice", "Alice", "bob"}, func(s *server.Server) {
		allowAll(s)
		s.Keys.Open = true
	}, func(t *testing.T, w *bubble, _ *received) {
		bob, both := w.member("bob", nil), []*member{w.member("alice", nil), w.member("Alice", nil)}
		list := *w.Keys
		list.Clients = map[string]keys.PublicKey{"bob": w.files["bob"].Public}
		require.NoError(t, w.Reload(&list))
		for _, m := range both {
			_, err := bob.rename("ALICE")
			require.ErrorIs(t, err, channel.CodeNameTaken)
			sess, ok := w.Session(m.name)
			require.True(t, ok)
			require.NoError(t, sess.Close())
			synctest.Wait()
		}
		_, err := bob.rename("ALICE")
		require.NoError(t, err)
	})
}
