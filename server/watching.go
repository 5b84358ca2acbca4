package server

import (
	"bytes"
	"context"

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
func (s *Server) servePresence(ctx context.Context, sess *Session, m *channel.Message, req service.PresenceRequest) error {
	if !sess.slots.watching.CompareAndSwap(false, true) {
		return &channel.Error{Code: channel.CodeBusy, Text: "a request for presence is under way"}
	}
	body, err := s.awaitPresence(ctx, sess, req)
	// Who has the answer may ask again at once, so this comes first; and while a page is on its way the next is not made.
	sess.slots.watching.Store(false)
	if err != nil {
		return err
	}
	defer sess.slots.page.Unlock()
	return reply(ctx, m, body)
}

// awaitPresence makes the answer to a request when something has changed. If there is one, slots.page is locked.
func (s *Server) awaitPresence(ctx context.Context, sess *Session, req service.PresenceRequest) ([]byte, error) {
	p, after := &s.presence, req.After
	all := !bytes.Equal(req.Epoch, p.epoch[:]) || !p.knows(after)
	// Who is in the middle of the list does not wait, and hears also that there is nothing more.
	listing := all || after > 0 && after == sess.slots.more.Load()
	if all {
		after = 0
	}
	for wait := !listing; ; {
		if wait {
			select {
			case <-p.news(after):
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-s.waits.Done():
				return nil, channel.CodeShutdown
			}
			if !p.knows(after) {
				after, all, listing = 0, true, true
			}
		}
		sess.slots.page.Lock()
		page, err := s.presencePage(sess, after, all)
		if err == nil && (page.n > 0 || listing && !page.more) {
			sess.slots.more.Store(0)
			if page.more {
				sess.slots.more.Store(page.to)
			}
			return page.body, nil
		}
		sess.slots.page.Unlock()
		if err != nil {
			return nil, err
		}
		after, wait = page.to, !page.more // there was nothing on it that the client may see
	}
}

// presencePage makes the page that follows a position, for who looks from a session. One that is the same for all is made once.
func (s *Server) presencePage(sess *Session, after uint64, all bool) (presencePage, error) {
	p := &s.presence
	p.mu.Lock()
	made, position := p.cache, p.position
	p.mu.Unlock()
	if s.AllowSee == nil && made.body != nil && made.after == after && made.all == all && made.position == position {
		return made, nil
	}
	page := presencePage{after: after, position: position, all: all}
	var list []standing
	list, page.to, page.more = p.from(after, all)
	told := service.PresencePage{Epoch: p.epoch[:], All: all, More: page.more, To: page.to, Peers: make([]service.Peer, 0, len(list))}
	for i := range list {
		st := &list[i]
		if st.key == sess.key || s.sees(sess, *st.peer) {
			told.Peers = append(told.Peers, st.seen())
		}
	}
	page.n = len(told.Peers)
	var err error
	if page.body, err = channel.Marshal(told); err != nil {
		return page, err
	}
	if s.AllowSee == nil {
		p.mu.Lock()
		p.cache = page // if the list has changed meanwhile, nobody will find it
		p.mu.Unlock()
	}
	return page, nil
}

// sees reports whether the client of a session may know of a peer.
func (s *Server) sees(sess *Session, peer channel.Peer) bool {
	if s.AllowSee == nil {
		return true
	}
	viewer := sess.Peer()
	return s.ask("AllowSee", viewer, func() error { return s.AllowSee(viewer, peer) }) == nil
}
