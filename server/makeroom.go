package server

import (
	"context"
	"time"

	"github.com/pysock/pysock/channel"
)

// mayJoin says why a session may not join, and who could make room for it. Call it with mu held.
func (s *Server) mayJoin(sess *Session, h *handshake) (room, error) {
	key := sess.key
	// A session keeps its name when the book or the list does not have it any more, also from those
	// that look like it. Two that are on the list may look alike: that is the operator's choice.
	_, listed := s.admission.byKey[key]
	if s.usedByOther(sess.own, sess.fold, key) || !listed && s.presence.looksLike(sess.fold, key) {
		return noRoom, &channel.Error{Code: channel.CodeNameTaken}
	}
	switch {
	case h.gone:
		return noRoom, &channel.Error{Code: channel.CodeLimit} // which it will not hear
	case s.draining:
		return noRoom, &channel.Error{Code: channel.CodeShutdown}
	case !s.admission.admits(key, sess.own):
		return noRoom, &channel.Error{Code: channel.CodeRevoked} // the list was reloaded meanwhile
	case !sess.isTransient && len(s.lasting[key]) >= s.limits.MaxTransient+2:
		return noRoom, &channel.Error{Code: channel.CodeLimit,
			Text: "handlers of this key's earlier sessions still run"}
	case sess.isTransient && s.transient[key] >= s.limits.MaxTransient:
		return roomOfKey, &channel.Error{Code: channel.CodeLimit, Text: "too many transient sessions of this key"}
	case len(s.open)+s.joining-s.yielding >= s.limits.MaxSessions:
		return roomOfAll, &channel.Error{Code: channel.CodeLimit, Text: "the server is full"}
	}
	return noRoom, nil
}

// room is whose session may be made to end for a new one.
type room uint8

const (
	noRoom    room = iota
	roomOfKey      // a transient one of the same key
	roomOfAll      // anybody's
)

// of is the session that makes room, and why it ends: one that is away, and of those one that the
// new session replaces anyway, or the one that has been away longest; rather one whose handlers do
// not run, because it is over at once. It is nil if there is none. Call it with mu held.
func (r room) of(s *Server, sess *Session) (*Session, channel.Error) {
	if own := s.byName[sess.own]; r == roomOfAll && !sess.isTransient && own != nil && own.place != nil {
		return own, channel.Error{Code: channel.CodeReplaced}
	}
	why := channel.Error{Code: channel.CodeLimit, Text: "the client was away, and the server is full"}
	if r == roomOfKey {
		why.Text = "the client was away, and its key has too many transient sessions"
	}
	var longest *Session
	for e := s.away.Front(); e != nil && r != noRoom; e = e.Next() {
		other := e.Value.(*Session)
		if r == roomOfKey && !(other.isTransient && other.key == sess.key) {
			continue
		}
		if other.link.Idle() {
			return other, why
		}
		if longest == nil {
			longest = other
		}
	}
	return longest, why
}

// makeRoomTime is how long a new session waits for the handlers of one that was away and makes room.
const makeRoomTime = time.Second

// makeRoom ends a session for another that is about to join, and waits until nothing is left of it.
// The place is kept for that other, so that it is not lost to somebody who comes meanwhile. It
// reports false if it takes too long: then the other is refused, and no second session ends for it.
// Call it with mu held; it lets go of it while it waits.
func (s *Server) makeRoom(ctx context.Context, victim *Session, why channel.Error) bool {
	victim.yields = true
	s.yielding++
	s.releaseTransient(victim)
	s.end(victim, why.Code, why.Text)
	s.awaitOver(ctx, victim)
	if _, open := s.open[victim]; !open {
		return true
	}
	victim.yields = false
	s.yielding--
	s.countTransient(victim)
	return false
}

// awaitOver waits until nothing is left of a session that makes room, or that takes too long. Call
// it with mu held; it lets go of it while it waits.
func (s *Server) awaitOver(ctx context.Context, victim *Session) {
	s.mu.Unlock()
	defer s.mu.Lock()
	ctx, cancel := context.WithTimeout(ctx, makeRoomTime)
	defer cancel()
	select {
	case <-victim.over:
	case <-ctx.Done():
	}
}
