package server

import (
	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// join makes room for a session that is about to be welcomed, and takes it off the handshakes, so
// that a newer one cannot push it out. If there is room only because a session that is away gives
// its own up, join waits until that is over.
func (s *Server) join(sess *Session, h *handshake) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sess.isTransient {
		s.cutLingering(sess.key)
	}
	room, err := s.mayJoin(sess, h)
	victim, why := room.of(s, sess)
	if err != nil && victim == nil {
		return err
	}
	s.joining++
	s.coming[sess.fold]++
	s.countTransient(sess)
	if victim != nil && !s.makeRoom(h.ctx, victim, why) {
		s.unjoin(sess)
		return err
	}
	if victim != nil {
		// Of what has changed meanwhile, the number of sessions is no concern: this one's place was kept.
		if room, err := s.mayJoin(sess, h); err != nil && room == noRoom {
			s.unjoin(sess)
			return err
		}
	}
	s.handshakes.remove(h)
	s.acquireBooks(sess)
	return nil
}

// unjoin gives the room of a session back that does not enter. Call it with mu held.
func (s *Server) unjoin(sess *Session) {
	s.notJoining(sess)
	s.releaseTransient(sess)
	s.ended.Ring()
}

// abandonJoin gives the room of a session back that was not welcomed.
func (s *Server) abandonJoin(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releaseBooks(sess)
	s.unjoin(sess)
}

// notJoining counts a session out that was about to be welcomed. Call it with mu held.
func (s *Server) notJoining(sess *Session) {
	s.joining--
	if s.coming[sess.fold]--; s.coming[sess.fold] == 0 {
		delete(s.coming, sess.fold)
	}
}

func (s *Server) countTransient(sess *Session) {
	if sess.isTransient {
		s.transient[sess.key]++
	}
}

func (s *Server) releaseTransient(sess *Session) {
	if !sess.isTransient {
		return
	}
	if s.transient[sess.key]--; s.transient[sess.key] == 0 {
		delete(s.transient, sess.key)
	}
}

// enterSession makes a session one that can be found, and ends an older one of the same key. If it
// may not enter any more the code says why, and it is only counted.
func (s *Server) enterSession(sess *Session, conn *secure.Conn, peerMax uint32) channel.Code {
	key := sess.key
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := s.takeOver(sess)
	sess.makeLink(conn, peerMax, newest)
	s.notJoining(sess)
	s.open[sess] = struct{}{}
	s.connected++
	if !sess.isTransient {
		s.cutLingering(key)
		s.lasting[key] = append(s.lasting[key], sess)
	}
	switch {
	case s.draining:
		s.counters.refused.Add(1)
		return channel.CodeShutdown
	case !s.admission.admits(key, sess.own):
		s.counters.refused.Add(1)
		return channel.CodeRevoked
	case !newest:
		s.counters.refused.Add(1)
		return channel.CodeReplaced // a newer session of the instance has joined meanwhile
	}
	s.sessions[sess] = struct{}{}
	s.counters.sessions.Add(1)
	if sess.resumable {
		s.byID[sess.id] = sess
		s.renewLater()
	}
	sess.telling = s.OnJoin != nil // before anybody finds it, so that nothing is told of it before that
	if sess.isTransient {
		return 0
	}
	for _, older := range s.lasting[key] {
		if _, present := s.sessions[older]; present && older != sess {
			s.end(older, channel.CodeReplaced, "")
			s.unlist(older)
		}
	}
	s.list(sess)
	return 0
}

// list lets others find a session, by the name that it came with and in its groups. Who else had
// the name has ended, see mayJoin. Call it with mu held.
func (s *Server) list(sess *Session) {
	s.byName[sess.own] = sess
	s.everybody.add(sess)
	for _, name := range sess.now.Load().Groups {
		s.enroll(sess, name)
	}
	s.presence.came(sess)
}

// unlist is the opposite of list, for a session under whatever name and in whatever groups it is
// now. Call it with mu held; again does nothing.
func (s *Server) unlist(sess *Session) {
	s.dropRunName(sess)
	if s.byName[sess.own] == sess {
		delete(s.byName, sess.own)
	}
	s.removeFromAll(sess)
	s.presence.gone(sess)
}

// cutLingering cuts the sessions of a key that were replaced or closed and have not ended, save for
// the newest: a client that connects again and again keeps no more than one of those, and the one
// that it has. Call it with mu held.
func (s *Server) cutLingering(key keys.PublicKey) {
	all := s.lasting[key]
	for i, sess := range all {
		if i < len(all)-1 {
			s.discard(sess, channel.CodeReplaced)
		}
	}
}
