package client_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/service"
)

// presences is the hub's list of those who are there, as section 18 of the protocol has it.
type presences struct {
	mu      sync.Mutex
	epoch   byte
	list    []placed // in the order of their last change
	at      uint64   // the position of the last
	changed chan struct{}
	asking  int
	most    int // of asking at once
	asked   int // in all
	page    int // peers of a page at most
}

// placed is a peer and the position of its last change.
type placed struct {
	at uint64
	service.Peer
}

func newPresences(h *hub) *presences {
	p := &presences{epoch: 1, changed: make(chan struct{}), page: 2}
	answer(h, service.Presence, p.answer)
	return p
}

// answer waits until there is something after a position.
func (p *presences) answer(ctx context.Context, r service.PresenceRequest) (service.PresencePage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.asking++; p.asking > 1 {
		p.most = p.asking
	}
	defer func() { p.asking-- }()
	for {
		page := service.PresencePage{Epoch: slices.Repeat([]byte{p.epoch}, 16), To: p.at}
		if !slices.Equal(r.Epoch, page.Epoch) {
			page.All, r.After = true, 0
		}
		for _, peer := range p.list {
			switch {
			case peer.at <= r.After:
			case len(page.Peers) == p.page:
				page.More = true
			default:
				page.Peers, page.To = append(page.Peers, peer.Peer), peer.at
			}
		}
		if page.All || len(page.Peers) > 0 {
			return page, nil
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		p.mu.Lock()
		if ctx.Err() != nil {
			return service.PresencePage{}, ctx.Err()
		}
	}
}

// change puts peers, as they are now, to the end of the list.
func (p *presences) change(peers ...service.Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, peer := range peers {
		p.at++
		p.list = append(slices.DeleteFunc(p.list, func(q placed) bool { return slices.Equal(q.Key, peer.Key) }), placed{p.at, peer})
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// anew is a server that was restarted, with these peers.
func (p *presences) anew(peers ...service.Peer) {
	p.mu.Lock()
	p.epoch++
	p.list, p.at = nil, 0
	p.mu.Unlock()
	p.change(peers...)
}

func (p *presences) counts() (asking, most, asked int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asking, p.most, p.asked
}

// watching reads a loop one event at a time.
type watching struct {
	t    *testing.T
	next func() (channel.PresenceEvent, error, bool)
	stop func()
}

func watch(t *testing.T, ctx context.Context, c *client.Client) *watching {
	next, stop := iter.Pull2(c.Presence(ctx))
	return &watching{t, next, stop}
}

// sees wants the next events to be these, in any order.
func (w *watching) sees(want ...string) {
	w.t.Helper()
	var got []string
	for range want {
		e, err, ok := w.next()
		require.NoError(w.t, err)
		require.True(w.t, ok)
		text := fmt.Sprintf("%s %v", e.Peer.Name, e.Kind)
		if e.Kind == channel.Listed {
			require.Equal(w.t, channel.PresenceEvent{Kind: channel.Listed}, e)
			text = "listed"
		}
		if e.Kind == channel.Renamed {
			text += " from " + e.Before.Name
		}
		if e.Kind == channel.GroupsChanged {
			text += fmt.Sprint(" ", e.Before.Groups, e.Peer.Groups)
		}
		got = append(got, text)
	}
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(w.t, want, got)
}

// ends wants the loop to end with the error, or none.
func (w *watching) ends(want error) {
	w.t.Helper()
	_, err, ok := w.next()
	if want != nil {
		require.ErrorIs(w.t, err, want)
		require.True(w.t, ok)
		_, _, ok = w.next()
	}
	require.False(w.t, ok)
}

func with(p service.Peer, change func(*service.Peer)) service.Peer {
	change(&p)
	return p
}

func left(p service.Peer) service.Peer { return service.Peer{Key: p.Key, State: service.Left} }
func away(p service.Peer) service.Peer {
	return with(p, func(p *service.Peer) { p.State = service.Away })
}
