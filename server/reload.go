package server

import (
	"errors"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// identity is the public key of a key file, whose Public may be left zero if it has the private key.
func identity(f *keys.File) keys.PublicKey {
	if f.Private != nil {
		return f.Private.Public()
	}
	return f.Public
}

// Reload replaces the list of clients with that of a key file, which must have the same identity.
// Sessions of keys that are no longer on it, or are there under another name, end at once, and so
// do their pipes; so do those that are being welcomed meanwhile. It is the name that a client came
// with that counts; one that it took at run time, and that is now on the list for another or looks
// like one that is, it loses. On an error the old list stays.
func (s *Server) Reload(f *keys.File) error {
	if err := s.start(); err != nil {
		return err
	}
	if f == nil {
		return errors.New("server: Reload needs a key file")
	}
	if identity(f) != s.Keys.Private.Public() {
		return errors.New("server: the key file is of another identity: restart the server to change its key")
	}
	a, err := newAdmission(f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admission = a
	for sess := range s.sessions {
		if !a.admits(sess.key, sess.own) {
			s.end(sess, channel.CodeRevoked, "")
		} else if sess.runFold != "" && a.listedForOther(sess.runFold, sess.key) {
			s.setName(sess, sess.own, "")
		}
	}
	return nil
}
