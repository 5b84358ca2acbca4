package server

import (
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// Rename gives the session another name for the rest of its life, without asking a policy; an empty
// one is that which its client came with. It is then found by both, and the old one, if that was
// not the one it came with, is free. Message.From of what comes from now on has the new name, and
// the client is told of it. Pipes keep the names that they were opened with, and a new session of
// the client has its own name again.
//
// The error is an *channel.Error with CodeBadName, with CodeNameTaken if the name, or one that
// looks like it (see Names), is another key's: on the server's list, in an open server's book, or
// because a session has it or is about to begin with it; or with CodeBusy if too much waits for the
// application's hooks. A transient session keeps its name: CodeRefused. It does not wait.
func (s *Session) Rename(name string) error {
	_, err := s.rename(name)
	return err
}

// rename is Rename, and says what the client is then.
func (s *Session) rename(name string) (now service.Self, err error) {
	fold := ""
	if name != "" {
		if fold, err = checkOpenName(name); err != nil {
			return now, badName(err)
		}
	}
	if s.isTransient {
		return now, &channel.Error{Code: channel.CodeRefused, Text: "a transient session keeps its name"}
	}
	srv := s.server
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if err := srv.gone(s); err != nil {
		return now, err
	}
	if name == "" || name == s.own {
		name, fold = s.own, ""
	} else if srv.taken(name, fold, s.key) {
		return now, &channel.Error{Code: channel.CodeNameTaken}
	}
	if name != s.now.Load().Name {
		if !srv.mayNote(s) {
			return now, errHooksBusy
		}
		srv.setName(s, name, fold)
	}
	return s.self(), nil
}

// taken reports whether a name cannot be taken at run time, because it, or one that looks like it,
// is or may soon be another key's. Call it with mu held.
func (s *Server) taken(name, fold string, key keys.PublicKey) bool {
	// Who is about to come has passed the check for a name in use, and may be about to claim its name in the book.
	return s.admission.listedForOther(fold, key) || s.coming[fold] > 0 || s.usedByOther(name, fold, key) ||
		s.presence.looksLike(fold, key) ||
		s.admission.open && s.names.heldByOther(name, fold, key, time.Now())
}

// usedByOther reports whether a session of another key has a name, or has taken one that looks like
// it at run time. Call it with mu held.
func (s *Server) usedByOther(name, fold string, key keys.PublicKey) bool {
	for _, sess := range []*Session{s.byName[name], s.runNames[fold]} {
		if sess != nil && sess.key != key && sess.Context().Err() == nil {
			return true
		}
	}
	return false
}

// setName gives a session a name that nobody else has; fold is empty for the one that it came with.
// Call it with mu held.
func (s *Server) setName(sess *Session, name, fold string) {
	p := *sess.now.Load()
	old := p.Name
	s.dropRunName(sess)
	p.Name = name
	sess.become(&p)
	if sess.runFold = fold; fold != "" {
		s.byName[name], s.runNames[fold] = sess, sess
	}
	s.presence.changed(sess)
	s.addNote(sess, note{of: ofName, name: old})
}

// dropRunName frees the name that a session has taken at run time, for others. The session keeps it
// until it is told another. Call it with mu held.
func (s *Server) dropRunName(sess *Session) {
	if sess.runFold == "" {
		return
	}
	if name := sess.now.Load().Name; s.byName[name] == sess {
		delete(s.byName, name)
	}
	if s.runNames[sess.runFold] == sess {
		delete(s.runNames, sess.runFold)
	}
	sess.runFold = ""
}
