package client

import (
	"context"
	"errors"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
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
		} else if !p.pause(p.back.next()) {
			continue
		}
		err := p.openAgain()
		lost = err == nil // if it is missing now
		if !lost && c.conn.Context().Err() == nil && finalForPipe(err) {
			p.conn.End(&channel.LostError{Err: err})
		}
	}
}

// pause waits for d. It reports whether nothing ended meanwhile.
func (p *Pipe) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.conn.Context().Done():
	case <-p.client.conn.Context().Done():
	}
	return false
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
	conn, w, err := c.connectPipe(ctx, trust, p.id.number)
	if err != nil {
		return err
	}
	p.attaching.Lock()
	defer p.attaching.Unlock()
	return p.attachTo(conn, &w)
}

// finalForPipe reports whether an attempt's error says that no later one will do better. It is for
// a peer who was there: that there is no such name says a server, too, that keeps names in memory
// alone and was restarted, until the peer is back.
func finalForPipe(err error) bool {
	var changed *keys.ChangedKeyError
	var refused *channel.Error
	switch {
	case errors.As(err, &changed):
		return true
	case !errors.As(err, &refused) || !refused.Remote:
		return false
	}
	switch refused.Code {
	case channel.CodeClosed, channel.CodeShutdown, channel.CodeLimit, channel.CodeTimeout, channel.CodeCanceled,
		channel.CodeUnknownPeer,
		channel.CodeNotConnected, channel.CodeBusy, channel.CodeGone:
		return false
	}
	return true
}
