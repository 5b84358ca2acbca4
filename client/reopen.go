package client

import (
	"context"
	"errors"
	"time"

	"github.com/pysock/pysock/channel"
)

// Waits between attempts to open a pipe anew. They are short, because what is waited for is most
// often the peer, who comes back within seconds.
const (
	firstReopen = 50 * time.Millisecond
	mostReopen  = 2 * time.Second
)

// errNewLink ends a pipe's link when there is a newer one.
var errNewLink = errors.New("the pipe was opened anew")

// reopen opens a pipe of ours anew that has lost its link.
func (c *Client) reopen(p *Pipe) {
	p.absent()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || p.opening {
		return
	}
	p.opening = true
	c.wg.Add(1)
	go p.reopen() // stops when the pipe has a link, or has ended
}

// reopen makes attempts until one works. The first is made at once only if the link had lasted for
// a while: a peer or a server that cuts every one that it lets us have would else be met as fast as
// handshakes can be made.
func (p *Pipe) reopen() {
	c := p.client
	defer c.wg.Done()
	for lost := true; p.missing(); {
		if lost && time.Since(p.attached) >= shortLived {
			p.back.reset()
		} else if !p.back.wait(p.conn.Context(), c.conn.Context()) {
			continue
		}
		err := p.openAgain()
		lost = err == nil // if it is missing now
		if !lost && c.conn.Context().Err() == nil && finalForPipe(err) {
			p.conn.End(&channel.LostError{Err: err})
		}
	}
}

// missing reports whether the pipe still has no link and may get one. If not, the goroutine that asks is to return.
func (p *Pipe) missing() bool {
	c := p.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && p.alive() && c.conn.Context().Err() == nil && !p.linked() {
		return true
	}
	p.opening = false
	return false
}

// openAgain makes one attempt to get another link.
func (p *Pipe) openAgain() error {
	c := p.client
	ctx, cancel := context.WithCancelCause(p.conn.Context())
	defer cancel(nil)
	defer context.AfterFunc(c.conn.Context(), func() { cancel(context.Cause(c.conn.Context())) })()
	trust := &peerTrust{name: p.peer.Name, known: p.peer.Key, path: c.cfg.Keys.Path}
	conn, w, err := c.connectPipe(ctx, trust, p.id.number, c.cfg.Timeout)
	if err != nil {
		return err
	}
	p.attaching.Lock()
	defer p.attaching.Unlock()
	return p.attachTo(conn, &w)
}
