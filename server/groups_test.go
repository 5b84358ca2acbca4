package server_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

func (m *member) join(group string) ([]string, error) {
	resp, err := query[service.Self](m, service.Join, service.GroupRequest{Group: group})
	return resp.Groups, err
}

func (m *member) quit(group string) ([]string, error) {
	resp, err := query[service.Self](m, service.Leave, service.GroupRequest{Group: group})
	return resp.Groups, err
}

// namesIn are the names of a group's members, sorted.
func namesIn(g server.Group) (names []string) {
	for sess := range g.Sessions() {
		names = append(names, sess.Peer().Name)
	}
	slices.Sort(names)
	return names
}

// TestJoinAndLeave changes groups at run time, by client and application.
func TestJoinAndLeave(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", inGroups("blue")), w.member("bob", nil)
		require.Equal(t, []string{"alice"}, namesIn(w.Group("blue")))
		groups, err := alice.join("a")
		require.NoError(t, err)
		require.Equal(t, []string{"a", "blue"}, groups)
		require.Equal(t, groups, alice.session().Groups())
		require.Equal(t, groups, alice.session().Peer().Groups)
		groups, err = alice.join("a")
		require.NoError(t, err, "again")
		require.Equal(t, []string{"a", "blue"}, groups)
		require.NoError(t, bob.session().JoinGroup("a"))
		require.Equal(t, []string{"alice", "bob"}, namesIn(w.Group("a")))
		require.Equal(t, 2, w.Group("a").Len())
		_, err = bob.quit("blue")
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		require.ErrorIs(t, bob.session().LeaveGroup("blue"), channel.CodeUnknownPeer)
		groups, err = alice.quit("a")
		require.NoError(t, err)
		require.Equal(t, []string{"blue"}, groups)
		require.Equal(t, []string{"bob"}, namesIn(w.Group("a")))

		for i := range wire.MaxGroups - 1 {
			_, err = alice.join(fmt.Sprint("g", i))
			require.NoError(t, err)
		}
		_, err = alice.join("more")
		require.ErrorIs(t, err, channel.CodeLimit)
		require.Equal(t, wire.MaxGroups+1, w.GroupsLeft())
		require.Zero(t, w.Group("more").Len())

		// Who is away stays a member, who has left does not.
		alice.cut()
		require.Equal(t, []string{"alice"}, namesIn(w.Group("g3")))
		sess := alice.session()
		go func() { _ = sess.Close() }()
		<-sess.Context().Done()
		synctest.Wait()
		require.Equal(t, 1, w.GroupsLeft())
		require.ErrorIs(t, sess.JoinGroup("x"), channel.ErrClosed)
		require.ErrorIs(t, sess.LeaveGroup("blue"), channel.ErrClosed)
		require.NoError(t, bob.session().LeaveGroup("a"))
		require.Zero(t, w.GroupsLeft())
	})
}

// TestTransientInGroups: a session of one errand may say what groups it is in, and is not found in them.
func TestTransientInGroups(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		m := w.member("alice", func(h *wire.Hello) { inGroups("g")(h); h.Transient = true })
		groups, err := m.join("h")
		require.NoError(t, err)
		require.Equal(t, []string{"g", "h"}, groups)
		require.Zero(t, w.GroupsLeft())
		groups, err = m.quit("g")
		require.NoError(t, err)
		require.Equal(t, []string{"h"}, groups)
		report, err := w.Broadcast(t.Context(), "news", nil)
		require.NoError(t, err)
		require.Zero(t, report)
	})
}

// TestManyJoinAndLeave has sessions join and leave at random, all at once, and end in the middle of it.
func TestManyJoinAndLeave(t *testing.T) {
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprint("m", i))
	}
	inHubOf(t, names, allowAll, func(t *testing.T, w *bubble, _ *received) {
		all := new(sync.WaitGroup)
		for i, name := range names {
			m := w.member(name, nil)
			sess := m.session()
			all.Go(func() {
				for step := range 200 {
					group := fmt.Sprint("g", (step*step+i)%10)
					if step%3 == 2 {
						_ = sess.LeaveGroup(group)
					} else {
						_ = sess.JoinGroup(group)
					}
				}
				if i%2 == 0 {
					m.leave()
					m.raw.Cut()
					_ = sess.CloseWithReason(channel.CodeKicked, "")
				}
			})
		}
		all.Wait()
		synctest.Wait()
		want := map[string]int{}
		for sess := range w.Sessions() {
			for _, g := range sess.Groups() {
				want[g]++
			}
		}
		require.Equal(t, len(want), w.GroupsLeft())
		for g, n := range want {
			require.Equal(t, n, w.Group(g).Len(), g)
			for sess := range w.Group(g).Sessions() {
				require.Contains(t, sess.Groups(), g)
			}
		}
	})
}
