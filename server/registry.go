package server

import (
	"slices"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// join makes room for a session that is about to be welcomed, and takes it off the handshakes, so that a newer one cannot push it out. If there is room only because a session that is away gives its own up, join waits until that is over.
func (s *Server) join(sess *Session, h *handshake) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sess.isTransient {
		s.cutLingering(sess.peer.Key)
	}
	room, err := s.mayJoin(sess, h)
	victim, why := room.of(s, sess)
	if err != nil && victim == nil {
		return err
	}
	s.joining++
	s.countTransient(sess)
	if victim != nil && !s.makeRoom(h.ctx, victim, why) {
		s.leaveJoining(sess)
		return err
	}
	if victim != nil {
		// Of what has changed meanwhile, the number of sessions is no concern: this one's place was kept.
		if room, err := s.mayJoin(sess, h); err != nil && room == noRoom {
			s.leaveJoining(sess)
			return err
		}
	}
	s.handshakes.remove(h)
	s.attend(sess)
	return nil
}

// leaveJoining gives the room of a session back that does not enter. Call it with mu held.
func (s *Server) leaveJoining(sess *Session) {
	s.joining--
	s.releaseTransient(sess)
	s.notify()
}

// abandon gives the room of a session back that was not welcomed.
func (s *Server) abandon(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unattend(sess)
	s.leaveJoining(sess)
}

func (s *Server) countTransient(sess *Session) {
	if sess.isTransient {
		s.transient[sess.peer.Key]++
	}
}

func (s *Server) releaseTransient(sess *Session) {
	if !sess.isTransient {
		return
	}
	if s.transient[sess.peer.Key]--; s.transient[sess.peer.Key] == 0 {
		delete(s.transient, sess.peer.Key)
	}
}

// enterSession makes a session one that can be found, and ends an older one of the same key. If it may not enter any more the code says why,
// and it is only counted.
func (s *Server) enterSession(sess *Session, conn *secure.Conn, peerMax uint32) channel.Code {
	key := sess.peer.Key
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := s.succeed(sess)
	sess.makeLink(conn, peerMax, newest)
	s.joining--
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
	case !s.admission.admits(key, sess.peer.Name):
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
	if sess.isTransient {
		return 0
	}
	if older := s.byName[sess.peer.Name]; older != nil && older.peer.Key == key { // another key's has ended, see mayJoin
		s.end(older, channel.CodeReplaced, "")
	}
	s.byName[sess.peer.Name] = sess
	return 0
}

// cutLingering cuts the sessions of a key that were replaced or closed and have not ended, save for the newest: a client that connects again and
// again keeps no more than one of those, and the one that it has. Call it with mu held.
func (s *Server) cutLingering(key keys.PublicKey) {
	all := s.lasting[key]
	for i, sess := range all {
		if i < len(all)-1 {
			s.discard(sess, channel.CodeReplaced)
		}
	}
}

// leave forgets a session that has begun to end.
func (s *Server) leave(sess *Session) {
	if s.forget(sess) {
		// A long session counts as a visit when it ends, too.
		s.names.visited(sess.peer.Name, sess.peer.Key, sess.since, time.Now())
	}
}

// forget makes a session one that cannot be found any more. It reports whether its name is one of the book's.
func (s *Server) forget(sess *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notAway(sess)
	if _, ok := s.sessions[sess]; !ok {
		return false
	}
	delete(s.sessions, sess)
	if s.byName[sess.peer.Name] == sess {
		delete(s.byName, sess.peer.Name)
	}
	_, listed := s.admission.byKey[sess.peer.Key]
	return !listed
}

// disconnected notes that a session's link has ended, and so its connection. Its handlers may still run.
func (s *Server) disconnected(sess *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bury(sess, sess.farewell)
	s.notAway(sess)
	s.connected--
	s.notify()
}

// ended counts a session out that holds nothing any more.
func (s *Server) ended(sess *Session) {
	key := sess.peer.Key
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sess)
	if sess.yields {
		s.yielding--
	} else {
		s.releaseTransient(sess)
	}
	s.unattend(sess)
	if !sess.isTransient {
		rest := slices.DeleteFunc(s.lasting[key], func(other *Session) bool { return other == sess })
		if s.lasting[key] = rest; len(rest) == 0 {
			delete(s.lasting, key)
		}
	}
	close(sess.over)
	s.notify()
}

// notify wakes those who wait for sessions and handshakes to end. Call it with mu held.
func (s *Server) notify() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
