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

// sequences are the books of an instance, and the sessions that use them: one, and those that it
// has left behind and whose handlers still run. When there are none they go to a shelf for the
// grace time, so that what a client sends again in a new session is not taken twice.
type sequences struct {
	books    *link.Books
	sessions []*Session        // the newest last; guarded by Server.mu
	record   [wire.IDSize]byte // what the client of the one that joined last is told; guarded by Server.mu
	entered  bool              // a session has; guarded by Server.mu
}

// attend gives a session the sequences of its instance: those that there are, or new ones. Call it with mu held.
func (s *Server) attend(sess *Session) {
	if sess.instance.instance == ([wire.IDSize]byte{}) {
		return
	}
	q := s.attended[sess.instance]
	if q == nil {
		q = new(sequences)
		if q.books, q.entered = s.shelved.take(sess.instance, time.Now()); !q.entered {
			q.books = link.NewBooks(false)
		}
		s.attended[sess.instance] = q
	}
	q.sessions = append(q.sessions, sess)
	q.record = q.books.Record()
	sess.sequences, sess.record = q, q.record
}

// unattend notes that a session does not use its sequences any more. Call it with mu held.
func (s *Server) unattend(sess *Session) {
	q := sess.sequences
	if q == nil {
		return
	}
	q.sessions = slices.DeleteFunc(q.sessions, func(other *Session) bool { return other == sess })
	if len(q.sessions) > 0 {
		return
	}
	delete(s.attended, sess.instance)
	if s.grace > 0 && q.entered && !sess.finished() {
		s.shelved.put(sess.instance, sess.key, q.books, time.Now())
	}
}

// finished reports whether the client has ended its session itself and in an orderly way: then it
// does not come again with the same instance.
func (s *Session) finished() bool {
	if s.link == nil {
		return false
	}
	var closed *channel.CloseError
	return errors.As(context.Cause(s.link.Context()), &closed) && closed.Code == channel.CodeClosed
}

// succeed ends the sessions of the same instance that a newer one leaves behind, as its link will
// end theirs: of one instance there is one link at a time, and its handlers wait for those of the
// one before. It reports false if another has joined after this one. Call it with mu held.
func (s *Server) succeed(sess *Session) bool {
	q := sess.sequences
	if q == nil {
		return true
	}
	if q.sessions[len(q.sessions)-1] != sess || sess.record != q.record {
		return false // and its client may have been told of another record than the books have now
	}
	for _, older := range q.sessions {
		if older != sess && older.link != nil {
			s.discard(older, channel.CodeReplaced)
		}
	}
	q.entered = true
	return true
}
