package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// mostPeers is how many peers of one server a client keeps for Presence and Peers.
const mostPeers = 1 << 18

var errTooManyPeers = &channel.Error{Code: channel.CodeLimit,
	Text: fmt.Sprintf("the server has told of more than %d peers", mostPeers)}

// roster is what the server has said of its clients, for the loops over Presence and for Peers.
// Nothing runs for it: a loop that has nothing to tell asks the server, if nobody does already, and
// the others wait for what that brings. Who wants the list at once goes before them.
type roster struct {
	mu    sync.Mutex
	views map[*view]struct{}
	listers
	peers  map[keys.PublicKey]channel.PeerInfo // those that are here or away
	seen   map[keys.PublicKey]struct{}         // of these, those in a list that comes anew; nil if none does
	whole  bool                                // the list has come to its end
	epoch  []byte                              // of the page before; empty if there was none
	after  uint64                              // its position
	asking bool                                // somebody asks the server
	yield  context.CancelFunc                  // has who asks give up; nil if that is a lister
	news   chan struct{}                       // closed when nobody asks any more; nil while nobody waits
	back   backoff                             // owned by who asks
}

func newRoster() *roster { return &roster{back: backoff{first: firstAgain, most: mostAgain}} }

// enter gives a loop its view.
func (r *roster) enter() *view {
	v := newView()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.views == nil {
		r.views = map[*view]struct{}{}
	}
	r.views[v] = struct{}{}
	for key := range r.peers {
		v.mark(key, true)
	}
	v.begun = r.whole
	return v
}

// leave takes a loop's view away.
func (r *roster) leave(v *view) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.views, v)
	r.forget()
}

// forget drops all that is known, if nobody wants it any more. Call it with mu held.
func (r *roster) forget() {
	if len(r.views) == 0 && r.waiting == 0 {
		r.views, r.peers, r.seen, r.whole, r.epoch, r.after = nil, nil, nil, false, nil, 0
	}
}

// next waits until there is something to tell a loop. The error is final.
func (r *roster) next(ctx context.Context, c *Client, v *view) ([]channel.PresenceEvent, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return nil, c.finally(ctx, err)
		}
		if events := v.take(r.peers); events != nil {
			return events, nil
		}
		var err error
		if r.asking || r.waiting > 0 {
			err = r.wait(ctx, c)
		} else {
			err = r.turn(ctx, c, true)
		}
		if err != nil {
			return nil, err
		}
	}
}

// wait waits until who asks has been answered, or somebody else may ask. Call it with mu held,
// which it is not meanwhile.
func (r *roster) wait(ctx context.Context, c *Client) error {
	if r.news == nil {
		r.news = make(chan struct{})
	}
	news := r.news
	r.mu.Unlock()
	defer r.mu.Lock()
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return c.finally(ctx, context.Cause(ctx))
	}
}

// tell wakes those who wait. Call it with mu held.
func (r *roster) tell() {
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
}

// turn asks for a page, and takes it. If it yields a lister may end it before, which is no error.
// The error is final. Call it with mu held, which it is not meanwhile, when nobody asks.
func (r *roster) turn(outer context.Context, c *Client, yields bool) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	r.asking = true
	if yields {
		r.yield = cancel
	}
	request, listing := service.PresenceRequest{Epoch: r.epoch, After: r.after}, !r.whole
	r.mu.Unlock()
	p, err := r.ask(ctx, c, &request, listing)
	r.mu.Lock()
	r.asking, r.yield = false, nil
	r.tell()
	switch {
	case err == nil:
		return r.apply(p)
	case ctx.Err() != nil && outer.Err() == nil:
		return nil
	}
	return err
}

// page is a service.PresencePage that has been checked, as far as that can be done without the roster.
type page struct {
	*service.PresencePage
	peers []channel.PeerInfo
}

// ask asks for a page that says something, as any does while the list has not come to its end.
func (r *roster) ask(ctx context.Context, c *Client, request *service.PresenceRequest, listing bool) (*page, error) {
	for {
		answer, err := insist[service.PresencePage](ctx, c, &r.back, service.Presence, request)
		if err != nil {
			return nil, err
		}
		p := &page{&answer, make([]channel.PeerInfo, len(answer.Peers))}
		for i := range p.peers {
			if p.peers[i], err = c.peerFrom(&answer.Peers[i]); err != nil {
				return nil, badAnswer(service.Presence, err)
			}
		}
		if len(p.peers) > 0 || answer.To != request.After || listing && !answer.More {
			r.back.reset()
			return p, nil
		}
		if err := c.waitTurn(ctx, &r.back); err != nil { // a server that does not wait
			return nil, err
		}
	}
}

// apply takes a page. Call it with mu held.
func (r *roster) apply(p *page) error {
	anew := p.All || len(r.epoch) == 0
	switch {
	case len(p.Epoch) != 16:
		return badAnswer(service.Presence, fmt.Errorf("an epoch of %d bytes", len(p.Epoch)))
	case !anew && (!bytes.Equal(p.Epoch, r.epoch) || p.To < r.after):
		return badAnswer(service.Presence, errors.New("it does not go on where the one before ended"))
	case anew:
		if r.peers == nil {
			r.peers = map[keys.PublicKey]channel.PeerInfo{}
		}
		r.seen, r.whole = map[keys.PublicKey]struct{}{}, false
	}
	r.epoch, r.after = p.Epoch, p.To
	for _, info := range p.peers {
		if info.State == channel.Left {
			delete(r.peers, info.Key)
			delete(r.seen, info.Key)
		} else {
			if _, known := r.peers[info.Key]; !known && len(r.peers) >= mostPeers {
				return errTooManyPeers
			}
			r.peers[info.Key] = info
			if r.seen != nil {
				r.seen[info.Key] = struct{}{}
			}
		}
		r.mark(info.Key)
	}
	if !p.More {
		r.forgetUnseen()
		r.whole, r.ended = true, r.begun
		for v := range r.views {
			v.begun = true
		}
	}
	return nil
}

// forgetUnseen takes those for gone that are not in a list that came anew and has come to its end.
func (r *roster) forgetUnseen() {
	if r.seen == nil {
		return
	}
	var unseen []channel.PeerInfo
	for key, info := range r.peers {
		if _, seen := r.seen[key]; !seen {
			unseen = append(unseen, info)
		}
	}
	r.seen = nil
	slices.SortFunc(unseen, func(a, b channel.PeerInfo) int { return strings.Compare(a.Name, b.Name) })
	for _, info := range unseen {
		delete(r.peers, info.Key)
		r.mark(info.Key)
	}
}

// mark notes for all loops that a peer may have changed.
func (r *roster) mark(key keys.PublicKey) {
	_, here := r.peers[key]
	for v := range r.views {
		v.mark(key, here)
	}
}
