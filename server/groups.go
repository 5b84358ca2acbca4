package server

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// A group is a set of sessions that can be addressed together. Server.mu guards it.
type group struct {
	name    string
	members []*Session // in no particular order
}

// membership is a session's place in a group.
type membership struct {
	group *group
	at    int
}

// fewMembers is the largest list of members that keeps its memory when members leave. A larger one
// gives half of it back when three quarters are unused.
const fewMembers = 64

// add takes a session in that is not in it.
func (g *group) add(sess *Session) {
	sess.member = append(sess.member, membership{g, len(g.members)})
	g.members = append(g.members, sess)
}

// remove takes a session out, if it is in it.
func (g *group) remove(sess *Session) {
	i := slices.IndexFunc(sess.member, func(m membership) bool { return m.group == g })
	if i < 0 {
		return
	}
	at, last := sess.member[i].at, len(g.members)-1
	sess.member = slices.Delete(sess.member, i, i+1)
	if at < last {
		moved := g.members[last]
		g.members[at] = moved
		moved.member[slices.IndexFunc(moved.member, func(m membership) bool { return m.group == g })].at = at
	}
	g.members[last] = nil
	g.members = g.members[:last]
	if c := cap(g.members); c > fewMembers && last < c/4 {
		g.members = append(make([]*Session, 0, c/2), g.members...)
	}
}

// enroll makes a session a member of a group that it is not in. Call it with mu held.
func (s *Server) enroll(sess *Session, name string) {
	g := s.groups[name]
	if g == nil {
		g = &group{name: name}
		s.groups[name] = g
	}
	g.add(sess)
}

// removeFrom takes a session out of a group. One without members is forgotten. Call it with mu held.
func (s *Server) removeFrom(g *group, sess *Session) {
	g.remove(sess)
	if len(g.members) == 0 && g != &s.everybody {
		delete(s.groups, g.name)
	}
}

// removeFromAll takes a session out of all its groups. Call it with mu held.
func (s *Server) removeFromAll(sess *Session) {
	for _, m := range slices.Clone(sess.member) {
		s.removeFrom(m.group, sess)
	}
}

// gone is why nothing of a session can be changed any more; nil if it can. Call it with mu held.
func (s *Server) gone(sess *Session) error {
	if _, present := s.sessions[sess]; present && !sess.ending {
		return nil
	}
	if err := context.Cause(sess.link.Context()); err != nil {
		return err
	}
	return channel.ErrClosed
}

// Groups are the groups that the session is in now, sorted. The slice is the caller's.
func (s *Session) Groups() []string { return slices.Clone(s.now.Load().Groups) }

// JoinGroup makes the session a member of a group, which begins with its first member, without
// asking a policy; of one that it is in already nothing changes. A transient session has groups,
// but is not found in them and gets nothing that is sent to them. It does not wait. The error is an
// *channel.Error with CodeBadName, CodeLimit for the 17th group, or CodeBusy if too much waits for
// the application's hooks, or why the session has ended. The client is told, but does not ask for
// the group when it begins its next session.
func (s *Session) JoinGroup(name string) error {
	_, err := s.joinGroup(name)
	return err
}

// joinGroup is JoinGroup, and says what the client is then.
func (s *Session) joinGroup(name string) (now service.Self, err error) {
	if err := keys.CheckName(name); err != nil {
		return now, badName(err)
	}
	srv := s.server
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if err := srv.gone(s); err != nil {
		return now, err
	}
	p := *s.now.Load()
	at, in := slices.BinarySearch(p.Groups, name)
	switch {
	case in:
		return s.self(), nil
	case len(p.Groups) >= wire.MaxGroups:
		return now, &channel.Error{Code: channel.CodeLimit, Text: fmt.Sprintf("a session is in at most %d groups",
			wire.MaxGroups)}
	case !srv.note(s, note{of: ofGroup, name: name, on: true}):
		return now, errHooksBusy
	}
	p.Groups = slices.Insert(slices.Clone(p.Groups), at, name)
	s.become(&p)
	if !s.isTransient {
		srv.enroll(s, name)
	}
	srv.presence.changed(s)
	return s.self(), nil
}

// LeaveGroup is the opposite of JoinGroup, for one of the groups that the session is in; else the
// error is an *channel.Error with CodeUnknownPeer. The client is told; if it had asked for the
// group itself it does so again when it begins its next session.
func (s *Session) LeaveGroup(name string) error {
	_, err := s.leaveGroup(name)
	return err
}

// leaveGroup is LeaveGroup, and says what the client is then.
func (s *Session) leaveGroup(name string) (now service.Self, err error) {
	srv := s.server
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if err := srv.gone(s); err != nil {
		return now, err
	}
	p := *s.now.Load()
	at, in := slices.BinarySearch(p.Groups, name)
	switch {
	case !in:
		return now, errNotMember
	case !srv.note(s, note{of: ofGroup, name: name}):
		return now, errHooksBusy
	}
	p.Groups = slices.Delete(slices.Clone(p.Groups), at, at+1)
	s.become(&p)
	if g := srv.groups[name]; g != nil && !s.isTransient {
		srv.removeFrom(g, s)
	}
	srv.presence.changed(s)
	return s.self(), nil
}

var errNotMember = &channel.Error{Code: channel.CodeUnknownPeer, Text: "not in this group"}

// A Group is the sessions that are in a group, as it is whenever one of its methods is called.
// Transient sessions are not found in groups. Make one with Server.Group.
type Group struct {
	server *Server
	name   string
}

// Group names a group. It need not have members, or ever have had any.
func (s *Server) Group(name string) Group { return Group{s, name} }

// Name is the group's.
func (g Group) Name() string { return g.name }

// Len is how many sessions are in the group now.
func (g Group) Len() int {
	g.server.mu.Lock()
	defer g.server.mu.Unlock()
	if of := g.server.groups[g.name]; of != nil {
		return len(of.members)
	}
	return 0
}

// Sessions goes over the sessions that are in the group at the moment, those of clients that are
// away included, in no particular order. They may leave and others join meanwhile.
func (g Group) Sessions() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		for _, sess := range g.members() {
			if !yield(sess) {
				return
			}
		}
	}
}

// members is Sessions as a list of the caller's.
func (g Group) members() []*Session {
	g.server.mu.Lock()
	defer g.server.mu.Unlock()
	if of := g.server.groups[g.name]; of != nil {
		return slices.Clone(of.members)
	}
	return nil
}
