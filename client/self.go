package client

import (
	"context"
	"slices"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// self is who the client is to its server: a name and groups. Both are of a session; what the next one is to begin with is kept beside them.
type self struct {
	// turn is held by who asks the server to change something, so that its answers are taken in the order in which it gave them.
	turn chan struct{}

	// Guarded by mu. The slices are replaced and never changed.
	mu      sync.Mutex
	session int      // how many sessions there were
	own     string   // the key's name, which each session begins with
	name    string   // in the present session
	asked   []string // the groups that the next session is to begin with
	groups  []string // those of the present session, as the server said last
}

// newSelf begins with the groups of a Config, sorted.
func newSelf(groups []string) *self { return &self{turn: make(chan struct{}, 1), asked: groups} }

// take waits for the turn to change something.
func (s *self) take(ctx, life context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-life.Done():
		return context.Cause(life)
	}
}

// release gives the turn back.
func (s *self) release() { <-s.turn }

// hello is what groups a session that begins now is to ask for.
func (s *self) hello() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// enter notes that a session has begun, in which the client has a name and the groups that its hello asked for. It reports false if these are not the ones any more that it is to have: then it has not
// begun, and another is to.
func (s *self) enter(name string, groups []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(groups, s.asked) {
		return false
	}
	s.session++
	s.own, s.name, s.groups = name, name, groups
	return true
}

// present gives the client's name, and the number of the session that it has it in.
func (s *self) present() (name string, session int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name, s.session
}

// pipeName is the name that the client opens pipes with: that which its peers have for its key.
func (s *self) pipeName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own
}

// named reports whether pipes that others open to the name are for the client: the server finds it by both.
func (s *self) named(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return name == s.name || name == s.own
}

// rename notes a new name, unless it was of an earlier session.
func (s *self) rename(name string, session int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session != s.session {
		return false
	}
	s.name = name
	return true
}

// in gives the groups that the client is in.
func (s *self) in() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups
}

// errTooManyGroups is what no server would allow.
var errTooManyGroups = &channel.Error{Code: channel.CodeLimit, Text: "a client is in at most 16 groups"}

// mayJoin reports whether a session could begin with one more group.
func (s *self) mayJoin(group string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := slices.BinarySearch(s.asked, group); !found && len(s.asked) >= wire.MaxGroups {
		return errTooManyGroups
	}
	return nil
}

// joined notes that the client is in a group now, and is to be in it from now on. It reports whether the present session is.
func (s *self) joined(group string, now []string, session int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, found := slices.BinarySearch(s.asked, group); !found {
		s.asked = slices.Insert(slices.Clone(s.asked), i, group)
	}
	if session == s.session {
		s.groups = now
	}
	_, in := slices.BinarySearch(s.groups, group)
	return in
}

// left is joined for a group that the client is not in any more. now is nil if it was not in it before.
func (s *self) left(group string, now []string, session int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, found := slices.BinarySearch(s.asked, group); found {
		s.asked = slices.Delete(slices.Clone(s.asked), i, i+1)
	}
	i, found := slices.BinarySearch(s.groups, group)
	switch {
	case session != s.session:
		return !found
	case now != nil:
		s.groups = now
	case found:
		s.groups = slices.Delete(slices.Clone(s.groups), i, i+1)
	}
	return true
}
