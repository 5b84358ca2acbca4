package server

import (
	"bytes"
	"context"
	"crypto/rand"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
)

// presencePage is a page as it is sent, and what it was made for.
type presencePage struct {
	after, position uint64
	all             bool

	body []byte
	n    int    // how many peers are on it
	to   uint64 // the position behind it
	more bool   // others follow
}

// servePresence answers a request for what has changed when something has.
func (s *Server) servePresence(ctx context.Context, sess *Session, m *channel.Message,
	req service.PresenceRequest) error {
	if !sess.slots.watching.CompareAndSwap(false, true) {
		return &channel.Error{Code: channel.CodeBusy, Text: "a request for presence is under way"}
	}
	body, err := s.awaitPresence(ctx, sess, req)
	// Who has the answer may ask again at once, so this comes first; and while a page is on its way
	// the next is not made.
	sess.slots.watching.Store(false)
	if err != nil {
		return err
	}
	defer sess.slots.page.Unlock()
	return reply(ctx, m, body)
}

// awaitPresence makes the answer to a request when something has changed. If there is one, slots.page is locked.
func (s *Server) awaitPresence(ctx context.Context, sess *Session, req service.PresenceRequest) ([]byte, error) {
	v, after, since := &sess.slots.view, req.After, uint64(0)
	// Who is in the middle of the list does not wait, and hears also that there is nothing more.
	listing := v.more && after == v.to
	if listing {
		since = v.since
	}
	all := !s.goesOn(sess, &req, since)
	if all {
		after = v.begin(sess)
	}
	for wait := !all && !listing; ; {
		if wait {
			select {
			case <-s.presence.news(after):
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-s.waits.Done():
				return nil, channel.CodeShutdown
			}
		}
		sess.slots.page.Lock()
		page, known, err := s.presencePage(sess, after, since, all)
		if err == nil && known && (page.n > 0 || (all || listing) && !page.more) {
			v.turn(&page, since)
			return page.body, nil
		}
		sess.slots.page.Unlock()
		switch {
		case err != nil:
			v.as = nil // what was noted on the way to it was not told
			return nil, err
		case !known:
			after, all, wait = v.begin(sess), true, false
		default:
			after, wait = page.to, !page.more // there was nothing on it that the client may see
		}
	}
}

// goesOn reports whether a client can be told what has changed since the page before; else it begins anew.
func (s *Server) goesOn(sess *Session, req *service.PresenceRequest, since uint64) bool {
	p, v := &s.presence, &sess.slots.view
	epoch := p.epoch
	if s.AllowSee != nil {
		if epoch = v.epoch; v.as != sess.now.Load() || v.to != req.After {
			return false // others may be seen now, or it did not get the last page, or has that of an earlier session
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Equal(req.Epoch, epoch[:]) && p.knows(req.After, since)
}

// presencePage makes the page that follows a position, for who looks from a session. One that is
// the same for all is made once. If it is not known what the page has to tell, the client begins
// anew.
func (s *Server) presencePage(sess *Session, after, since uint64, all bool) (page presencePage, known bool, err error) {
	p, v := &s.presence, &sess.slots.view
	p.mu.Lock()
	page = presencePage{after: after, position: p.position, all: all}
	made := p.cache
	known = all || p.knows(after, since) && (s.AllowSee == nil || v.as == sess.now.Load())
	var list []standing
	if same := s.AllowSee == nil && made.body != nil && made.after == after && made.all == all &&
		made.position == p.position; !known || same {
		p.mu.Unlock()
		return made, known, nil
	}
	list, page.to, page.more = p.from(after, all)
	p.mu.Unlock()
	told := service.PresencePage{Epoch: p.epoch[:], All: all, More: page.more, To: page.to,
		Peers: make([]service.Peer, 0, len(list))}
	if s.AllowSee == nil {
		for i := range list {
			told.Peers = append(told.Peers, list[i].seen())
		}
	} else {
		told.Epoch = v.epoch[:]
		for i := range list {
			if peer, news := s.look(sess, &list[i]); news {
				told.Peers = append(told.Peers, peer)
			}
		}
	}
	page.n = len(told.Peers)
	if page.body, err = channel.Marshal(told); err != nil {
		return page, true, err
	}
	if s.AllowSee == nil {
		p.mu.Lock()
		p.cache = page // if the list has changed meanwhile, nobody will find it
		p.mu.Unlock()
	}
	return page, true, nil
}

// look is what a client is to be told of a peer that has changed, if it is to be told anything.
func (s *Server) look(sess *Session, st *standing) (peer service.Peer, news bool) {
	v := &sess.slots.view
	told := v.told.has(st.slot)
	if st.state != service.Left && (st.key == sess.key || s.sees(*v.as, *st.peer)) {
		v.told.set(st.slot, true)
		return st.seen(), true
	}
	v.told.set(st.slot, false)
	return service.Peer{Key: st.key.Bytes(), State: service.Left}, told
}

// sees reports whether a client may know of a peer.
func (s *Server) sees(viewer, peer channel.Peer) bool {
	return s.AllowSee == nil || s.ask("AllowSee", viewer, func() error { return s.AllowSee(viewer, peer) }) == nil
}

// view is how far a client has been told of the others. Who has set slots.watching has it.
type view struct {
	to    uint64 // the position behind the last page
	more  bool   // others are to follow at once
	since uint64 // while it reads the whole list: the position when that began. What was forgotten before is not on it anyway.

	// With a Server.AllowSee it also matters what the client was told, because one whom it may not
	// see any more has left for it. An epoch is of one reading of the list then, so that who did
	// not get its first page is not taken for one who did.
	epoch [16]byte
	as    *channel.Peer // what the client was then
	told  bits          // whom it knows of, by standing.slot
}

// begin has the client told of all anew, from the position that it returns.
func (v *view) begin(sess *Session) uint64 {
	*v = view{as: sess.now.Load()}
	_, _ = rand.Read(v.epoch[:]) // never fails
	return 0
}

// turn notes that the client gets a page. What was forgotten up to since was no concern of it.
func (v *view) turn(page *presencePage, since uint64) {
	if page.all {
		since = page.position
	}
	v.to, v.more, v.since = page.to, page.more, since
	if !page.more {
		v.since = 0
	}
}

// bits is a set of small numbers.
type bits []uint64

func (b bits) has(i uint32) bool { return int(i/64) < len(b) && b[i/64]&(1<<(i%64)) != 0 }

func (b *bits) set(i uint32, on bool) {
	if !on {
		if b.has(i) {
			(*b)[i/64] &^= 1 << (i % 64)
		}
		return
	}
	if need := int(i/64) + 1; need > len(*b) {
		*b = append(*b, make(bits, need-len(*b))...)
	}
	(*b)[i/64] |= 1 << (i % 64)
}
