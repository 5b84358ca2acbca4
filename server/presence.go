package server

import (
	"crypto/rand"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// presence is the list of who is here in the order of their last change, one for all who want to
// know (docs/protocol.md, section 18). A change costs the same however many those are: it gets the
// next position at the list's end, and who waits is woken once for all changes of presenceDelay.
// Nothing is kept for who does not ask.
type presence struct {
	mu        sync.Mutex // below Server.mu
	epoch     [16]byte
	most      int // how many that have left are remembered
	of        map[keys.PublicKey]*standing
	log       []logged // ascending
	left      []logged // those of them that have left
	stale     int      // how many of log are of what has changed again
	leftStale int      // likewise
	position  uint64   // of the last change
	forgotten uint64   // of the newest change that is not in the list any more
	slots     uint32   // how many standings there have been at once
	free      []uint32 // those of their slots that none has now

	alike map[string][]*Session // those that are here, by the fold of the name that they came with

	wake   chan struct{} // closed when there is news; nil while nobody waits
	waking bool          // a timer will do that
	cache  presencePage  // what was made last for who may see all
}

// standing is how it stands with a peer.
type standing struct {
	sess  *Session // nil of one that has left
	key   keys.PublicKey
	peer  *channel.Peer // nil of one that has left
	slot  uint32        // no other standing has it: see view.told
	state uint8
	since int64
	away  int64  // since when, if it is
	at    uint64 // the position of its last change
}

// logged is a change. It is stale once there is a later one of the same peer.
type logged struct {
	at uint64
	of *standing
}

func (l logged) stale() bool { return l.of.at != l.at }

const (
	// presenceDelay is how long changes are collected before those who wait hear of them.
	presenceDelay = 100 * time.Millisecond
	// presenceBytes is about how large a page may become: an asker has room for it without being asked.
	presenceBytes = 48 << 10
	// fewStale is how many changes of the past are not worth making room.
	fewStale = 64
)

func (p *presence) begin(most int) {
	_, _ = rand.Read(p.epoch[:]) // never fails
	p.most = most
	p.of = make(map[keys.PublicKey]*standing)
	p.alike = make(map[string][]*Session)
}

// came puts a session into the list, in the place of an older one of its key. Call it, as all that
// changes the list, with Server.mu held.
func (p *presence) came(sess *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alike[sess.fold] = append(p.alike[sess.fold], sess)
	st := p.of[sess.key]
	if st == nil {
		st = &standing{key: sess.key, slot: p.freeSlot()}
		p.of[sess.key] = st
	} else if st.sess == nil {
		p.leftStale++
	}
	st.sess, st.since = sess, sess.since.UnixMilli()
	p.move(st)
}

// freeSlot is a slot for a new standing. Who was told of the one that had it before has been told
// since that it left, or begins anew, because that was forgotten.
func (p *presence) freeSlot() uint32 {
	if last := len(p.free) - 1; last >= 0 {
		slot := p.free[last]
		p.free = p.free[:last]
		return slot
	}
	p.slots++
	return p.slots - 1
}

// changed notes that a session is away, or back, or has another name or other groups. A transient
// one is not in the list, but its client may see others now than before.
func (p *presence) changed(sess *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sess.isTransient {
		p.arouse()
	} else if st := p.of[sess.key]; st != nil && st.sess == sess {
		p.move(st)
	}
}

// gone notes that a session cannot be found any more.
func (p *presence) gone(sess *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	alike := slices.DeleteFunc(p.alike[sess.fold], func(other *Session) bool { return other == sess })
	if p.alike[sess.fold] = alike; len(alike) == 0 {
		delete(p.alike, sess.fold)
	}
	st := p.of[sess.key]
	if st == nil || st.sess != sess {
		return // a newer one has its place
	}
	st.sess = nil
	p.move(st)
	p.left = append(p.left, logged{st.at, st})
	for len(p.left)-p.leftStale > p.most {
		oldest := p.left[0]
		p.left = p.left[1:]
		if oldest.stale() {
			p.leftStale--
			continue
		}
		delete(p.of, oldest.of.key)
		p.free = append(p.free, oldest.of.slot)
		p.forgotten, oldest.of.at = oldest.at, 0
		p.stale++
	}
}

// move gives a standing the next position.
func (p *presence) move(st *standing) {
	if st.at > 0 {
		p.stale++
	}
	p.position++
	st.at, st.state, st.peer, st.away = p.position, service.Left, nil, 0
	if st.sess != nil {
		st.peer, st.state = st.sess.now.Load(), service.Here
		if st.sess.awayTold {
			st.state, st.away = service.Away, st.sess.awaySince.UnixMilli()
		}
	}
	p.log = append(p.log, logged{st.at, st})
	if p.stale > fewStale && p.stale > len(p.log)/2 {
		p.log, p.stale = slices.DeleteFunc(p.log, logged.stale), 0
	}
	if p.leftStale > fewStale && p.leftStale > len(p.left)/2 {
		p.left, p.leftStale = slices.DeleteFunc(p.left, logged.stale), 0
	}
	p.arouse()
}

// arouse has those woken who wait, if there are any.
func (p *presence) arouse() {
	if p.wake == nil || p.waking {
		return
	}
	p.waking = true
	time.AfterFunc(presenceDelay, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(p.wake)
		p.wake, p.waking = nil, false
	})
}

// news is closed when there are changes after a position, and a little later.
func (p *presence) news(after uint64) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wake == nil {
		p.wake = make(chan struct{})
	}
	if p.position > after {
		p.arouse()
	}
	return p.wake
}

// looksLike reports whether a session of another key is here that came with a name of this fold.
func (p *presence) looksLike(fold string, key keys.PublicKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.alike[fold], func(sess *Session) bool {
		return sess.key != key && sess.Context().Err() == nil
	})
}

// knows reports whether all that a page from a position has to tell is in the list, if the asker
// does not care what was forgotten up to since. Call it with mu held.
func (p *presence) knows(after, since uint64) bool {
	return p.forgotten <= max(after, since) && after <= p.position
}

// from gives the standings after a position, as many as a page has. The position behind them is to;
// more says that there are others. Without those that have left, if alive. Call it with mu held.
func (p *presence) from(after uint64, alive bool) (list []standing, to uint64, more bool) {
	at := sort.Search(len(p.log), func(i int) bool { return p.log[i].at > after })
	size := 0
	for _, l := range p.log[at:] {
		if l.stale() || alive && l.of.sess == nil {
			continue
		}
		if len(list) == service.MaxPage || size > presenceBytes {
			return list, to, true
		}
		list = append(list, *l.of)
		to = l.at
		size += sizeOf(l.of)
	}
	return list, p.position, false
}

// sizeOf is about how many bytes a standing takes on a page.
func sizeOf(st *standing) int {
	const fields = 96 // the key, and the rest but for names
	if st.sess == nil {
		return fields
	}
	n := fields + len(st.peer.Name)
	for _, g := range st.peer.Groups {
		n += len(g) + 2
	}
	return n
}

// seen is what a client is told of a peer.
func (st *standing) seen() service.Peer {
	if st.state == service.Left {
		return service.Peer{Key: st.key.Bytes(), State: service.Left}
	}
	return service.Peer{Name: st.peer.Name, Key: st.key.Bytes(), Groups: st.peer.Groups, State: st.state,
		Since: st.since, Away: st.away}
}
