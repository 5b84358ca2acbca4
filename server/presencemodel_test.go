package server_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// TestPresenceModel lets clients do everything that others are told of, at random, while some
// watch, each at its own pace. In the end each knows what is so, and so it is with who is found by
// name and in groups. On every other server they see only whom they have a group in common with,
// and join and leave groups themselves; and there are more clients than the server remembers.
func TestPresenceModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			limited, clients, most := seed%2 == 1, 8, 11
			if limited {
				clients, most = 14, 7
			}
			var names []string
			for i := range clients {
				names = append(names, fmt.Sprint("m", i))
			}
			inHubOf(t, append(names, "w0", "w1", "w2"), func(s *server.Server) {
				allowAll(s)
				s.Limits.MaxSessions = most
				if limited {
					s.AllowSee = shareGroup
				}
				s.Grace = time.Second
			}, func(t *testing.T, w *bubble, _ *received) {
				r := rand.New(rand.NewPCG(seed, 4))
				var viewers []*viewer
				for i := range 3 {
					viewers = append(viewers, w.member(fmt.Sprint("w", i), func(h *wire.Hello) {
						offer(h)
						h.Transient = limited && i == 2
					}).viewer())
				}
				members := map[string]*member{}
				for range 150 {
					name := names[r.IntN(len(names))]
					w.act(r, members, name)
					for i, v := range viewers {
						if limited {
							v.wander(r)
						}
						if r.IntN(5*i+2) == 0 {
							v.look()
						}
					}
					if r.IntN(3) == 0 {
						<-time.After(time.Duration(r.IntN(300)) * time.Millisecond)
					}
				}
				<-time.After(10 * time.Second)
				for _, v := range viewers {
					v.look()
					v.look()
					require.Equal(t, v.truth(limited), v.knows)
				}
				groups := map[string]bool{}
				for sess := range w.Sessions() {
					if sess.Transient() {
						continue
					}
					found, ok := w.Session(sess.Peer().Name)
					require.True(t, ok)
					require.Same(t, sess, found)
					for _, g := range sess.Groups() {
						groups[g] = true
					}
				}
				require.Equal(t, len(groups), w.GroupsLeft())
			})
		})
	}
}

// look takes what is new: first what a request got that was begun before, then all that follows
// until one would have to wait.
func (v *viewer) look() {
	for {
		if v.asked == nil {
			v.ask()
			<-time.After(200 * time.Millisecond)
		}
		if v.asked.waits() {
			return
		}
		v.take()
		v.asked = nil
	}
}

// act has a client do something at random.
func (w *bubble) act(r *rand.Rand, members map[string]*member, name string) {
	m := members[name]
	if m == nil || m.link.Context().Err() != nil {
		m, err := w.tryMember(name, nil, nil)
		if err == nil {
			members[name] = m
		}
		return
	}
	sess, ok := w.Session(name)
	if !ok {
		delete(members, name)
		return
	}
	switch r.IntN(7) {
	case 0:
		_ = sess.Rename(fmt.Sprint("x", r.IntN(4)))
	case 1:
		_ = sess.Rename("")
	case 2:
		_ = sess.JoinGroup(fmt.Sprint("g", r.IntN(4)))
	case 3:
		_ = sess.LeaveGroup(fmt.Sprint("g", r.IntN(4)))
	case 4:
		m.cut()
	case 5:
		if _, away := sess.Away(); away {
			_ = m.comeBack()
		}
	case 6:
		go func() { _ = sess.Close() }()
	}
	synctest.Wait()
}

// wander joins and leaves groups at random, and now and then gives a request up that may have been answered.
func (v *viewer) wander(r *rand.Rand) {
	group := fmt.Sprint("g", r.IntN(4))
	switch r.IntN(12) {
	case 0:
		groups, err := v.join(group)
		require.NoError(v.w.t, err)
		v.groups = groups
	case 1:
		if groups, err := v.quit(group); err == nil {
			v.groups = groups
		}
	case 2:
		if v.asked != nil {
			v.asked.cancel()
			synctest.Wait()
			v.asked = nil
		}
	}
}

// truth is what a viewer should know.
func (v *viewer) truth(limited bool) map[string]service.Peer {
	known := map[string]service.Peer{}
	for sess := range v.w.Sessions() {
		p := sess.Peer()
		if sess.Transient() || limited && p.Key != v.w.files[v.name].Public && shareGroup(channel.Peer{Groups: v.groups}, p) != nil {
			continue
		}
		told := service.Peer{Name: p.Name, Key: p.Key.Bytes(), Since: sess.Since().UnixMilli()}
		if len(p.Groups) > 0 {
			told.Groups = p.Groups
		}
		if since, away := sess.Away(); away {
			told.State, told.Away = service.Away, since.UnixMilli()
		}
		known[string(told.Key)] = told
	}
	return known
}
