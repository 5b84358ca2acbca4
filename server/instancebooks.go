package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// instanceOf is what a client's sequences are kept under (docs/protocol.md, section 8.1): nobody
// else's key comes to them.
type instanceOf struct {
	key      keys.PublicKey
	instance [wire.IDSize]byte
}

// instanceBooks are the books of an instance, with its sequences, and the sessions that use them:
// one, and those that it has left behind and whose handlers still run. When there are none the books
// go to a shelf for the grace time, Server.idleBooks, so that what a client sends again in a new
// session is not taken twice.
type instanceBooks struct {
	*link.Books
	sessions []*Session        // the newest last; guarded by Server.mu
	record   [wire.IDSize]byte // what the client of the one that joined last is told; guarded by Server.mu
	entered  bool              // a session has; guarded by Server.mu
}

// acquireBooks gives a session the books of its instance: those that there are, or new ones. Call it with mu held.
func (s *Server) acquireBooks(sess *Session) {
	if sess.instance.instance == ([wire.IDSize]byte{}) {
		return
	}
	b := s.usedBooks[sess.instance]
	if b == nil {
		b = new(instanceBooks)
		if b.Books, b.entered = s.idleBooks.take(sess.instance, time.Now()); !b.entered {
			b.Books = link.NewBooks(false)
		}
		s.usedBooks[sess.instance] = b
	}
	b.sessions = append(b.sessions, sess)
	b.record = b.Record()
	sess.books, sess.record = b, b.record
}

// releaseBooks notes that a session does not use its books any more. Call it with mu held.
func (s *Server) releaseBooks(sess *Session) {
	b := sess.books
	if b == nil {
		return
	}
	b.sessions = slices.DeleteFunc(b.sessions, func(other *Session) bool { return other == sess })
	if len(b.sessions) > 0 {
		return
	}
	delete(s.usedBooks, sess.instance)
	if s.grace > 0 && b.entered && !sess.closedByClient() {
		s.idleBooks.put(sess.instance, sess.key, b.Books, time.Now())
	}
}

// closedByClient reports whether the client has ended its session itself and in an orderly way:
// then it does not come again with the same instance.
func (s *Session) closedByClient() bool {
	if s.link == nil {
		return false
	}
	var closed *channel.CloseError
	return errors.As(context.Cause(s.link.Context()), &closed) && closed.Code == channel.CodeClosed
}

// takeOver ends the sessions of the same instance that a newer one leaves behind, as its link will
// end theirs: of one instance there is one link at a time, and its handlers wait for those of the
// one before. It reports false if another has joined after this one. Call it with mu held.
func (s *Server) takeOver(sess *Session) bool {
	b := sess.books
	if b == nil {
		return true
	}
	if b.sessions[len(b.sessions)-1] != sess || sess.record != b.record {
		return false // and its client may have been told of another record than the books have now
	}
	for _, older := range b.sessions {
		if older != sess && older.link != nil {
			s.discard(older, channel.CodeReplaced)
		}
	}
	b.entered = true
	return true
}
