package server

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGroupModel compares the index of groups with sets, after each of many changes.
func TestGroupModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := &Server{groups: map[string]*group{}}
	sessions := make([]*Session, 40)
	for i := range sessions {
		sessions[i] = new(Session)
	}
	model := map[string]map[*Session]bool{}
	for step := range 1_000 {
		sess, name := sessions[r.IntN(len(sessions))], fmt.Sprint("g", r.IntN(5))
		in := model[name][sess]
		switch {
		case r.IntN(20) == 0:
			s.removeFromAll(sess)
			for name, members := range model {
				if delete(members, sess); len(members) == 0 {
					delete(model, name)
				}
			}
			require.Empty(t, sess.member)
		case in && step/100%2 == 1:
			s.removeFrom(s.groups[name], sess)
			if delete(model[name], sess); len(model[name]) == 0 {
				delete(model, name)
			}
		case !in:
			s.enroll(sess, name)
			if model[name] == nil {
				model[name] = map[*Session]bool{}
			}
			model[name][sess] = true
		}
		require.Len(t, s.groups, len(model))
		for name, members := range model {
			g := s.groups[name]
			require.Len(t, g.members, len(members))
			for at, sess := range g.members {
				require.True(t, members[sess])
				require.Contains(t, sess.member, membership{g, at})
			}
		}
	}
}
