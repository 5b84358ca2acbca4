package client

import (
	"context"
	"slices"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
)

// self is who the client is to its server: a name and groups. Both are of a session; what the next
// one is to begin with is kept beside them.
type self struct {
	// turn is held by who asks the server to change something, so that its answers are taken in the
	// order in which it gave them.
	turn chan struct{}

	// Guarded by mu. The slices are replaced and never changed.
	mu      sync.Mutex
	session int           // how many sessions there were
	own     string        // the key's name, which each session begins with
	asked   []string      // the groups that the next session is to begin with
	name    string        // in the present session, as the server said last
	groups  []string      // likewise
	version uint64        // of both
	changed chan struct{} // closed when they change; nil while nobody waits
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
		return withoutGap(context.Cause(life))
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

// enter notes that a session has begun, in which the client has a name and the groups that its
// hello asked for. It reports false if these are not the ones any more that it is to have: then it
// has not begun, and another is to.
func (s *self) enter(name string, groups []string) (session int, begun bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(groups, s.asked) {
		return 0, false
	}
	s.session++
	s.own = name
	s.set(service.Self{Name: name, Groups: groups})
	return s.session, true
}

// set notes what the client is. Call it with mu held.
func (s *self) set(now service.Self) {
	same := s.name == now.Name && slices.Equal(s.groups, now.Groups)
	s.name, s.groups, s.version = now.Name, now.Groups, now.Version
	if !same && s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// told notes what the server says that the client is, unless it has said something newer: what it
// tells and what it answers come in any order. It reports false if that was in another session, and
// is nothing any more.
func (s *self) told(now service.Self, session int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.toldIn(now, session)
}

func (s *self) toldIn(now service.Self, session int) bool {
	if session != s.session {
		return false
	}
	if now.Version >= s.version {
		s.set(now)
	}
	return true
}

// A moment is a version of the client in a session.
type moment struct {
	session int
	version uint64
}

// present is the present moment.
func (s *self) present() moment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return moment{s.session, s.version}
}

// now gives the client's name and groups, which are not the caller's to change, and what is closed
// when they are others.
func (s *self) now() (Self, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return Self{s.name, s.groups}, s.changed
}

// is gives the client's name and groups, which are not the caller's to change.
func (s *self) is() (name string, groups []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name, s.groups
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

// joined notes that the client has joined a group, and is to be in it from now on. It reports
// whether that was done in the present session, or this has begun with it.
func (s *self) joined(group string, now service.Self, session int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, found := slices.BinarySearch(s.asked, group); !found {
		s.asked = slices.Insert(slices.Clone(s.asked), i, group)
	}
	if s.toldIn(now, session) {
		return true // though the server's application may have taken it out again
	}
	_, in := slices.BinarySearch(s.groups, group)
	return in
}

// left is joined for a group that the client is not to be in any more.
func (s *self) left(group string, now service.Self, session int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unask(group)
	if s.toldIn(now, session) {
		return true
	}
	_, in := slices.BinarySearch(s.groups, group)
	return !in
}

// unask has the next session not begin with a group. Call it with mu held.
func (s *self) unask(group string) {
	if i, found := slices.BinarySearch(s.asked, group); found {
		s.asked = slices.Delete(slices.Clone(s.asked), i, i+1)
	}
}

// notIn notes that the client could not leave a group, since it was not in it. If it was when it
// asked, the server is about to tell what came between, and may have already.
func (s *self) notIn(group string, asked moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unask(group)
	if i, found := slices.BinarySearch(s.groups, group); found && asked == (moment{s.session, s.version}) {
		s.set(service.Self{Version: s.version, Name: s.name, Groups: slices.Delete(slices.Clone(s.groups), i, i+1)})
	}
}
