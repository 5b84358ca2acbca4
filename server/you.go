package server

import (
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
)

// told is about telling a client what it is. It is asked to take that note, one request at a
// time, so that changes that come meanwhile are told together and nothing queues up for one who
// does not answer; and for one that is never changed there is nothing.
type told struct {
	wg sync.WaitGroup // of the goroutine that tells it

	// Guarded by server.mu.
	version uint64 // how often the client was changed
	telling bool   // there is that goroutine, or the client did not want to know
}

// wait waits for who tells a client whose session has ended, and that cannot be found any more.
func (t *told) wait() { t.wg.Wait() }

// self is what the client is now. Call it with server.mu held.
func (s *Session) self() service.Self {
	p := s.now.Load()
	return service.Self{Version: s.told.version, Name: p.Name, Groups: p.Groups}
}

// tellSelf has the client told that it was changed. Call it with server.mu held.
//
// What the client has asked for it is told as well, though it is also in the answer: it may have
// given up meanwhile, and not take that.
func (s *Session) tellSelf() {
	s.told.version++
	if !s.told.telling {
		s.told.telling = true
		s.told.wg.Go(s.tellSelves) // stops when the client knows what it is, does not want to, or has left
	}
}

// tellSelves tells the client what it is until that does not change any more. If it answers with an
// error, as one does that has no such service, nobody does this a second time in the session.
func (s *Session) tellSelves() {
	for last := uint64(0); ; {
		now, news := s.nextSelf(last)
		if !news {
			return
		}
		last = now.Version
		body, err := channel.Marshal(now)
		if err != nil {
			return
		}
		if _, err := s.link.RequestService(s.Context(), service.You, body); err != nil {
			return
		}
	}
}

// nextSelf is what the client is, if that is news to one that knows a version. Else the next change
// will have it told anew.
func (s *Session) nextSelf(known uint64) (now service.Self, news bool) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.told.version == known {
		s.told.telling = false
		return now, false
	}
	return s.self(), true
}
