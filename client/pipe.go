package client

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/durable"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// A Pipe is an end-to-end encrypted connection to another client. The server carries it and cannot
// read it. It is a channel.Conn, and its methods may be called by several goroutines at once.
//
// A pipe outlives the sessions that carry it: when one of them is lost, the side that opened the
// pipe opens it anew, and both go on with the Pipe that they have. A pipe that is without its peer
// for Config.PipeGrace has ended; that time begins when this client notices that the peer is gone.
type Pipe struct {
	client *Client
	peer   *channel.Peer
	safety string
	id     instance
	theirs bool // the peer has opened it
	conn   connection
	here   online
	tally  tally

	attaching sync.Mutex // held while a link is made

	// Of a pipe that we have opened: owned by OpenPipe, then by the goroutine that opens it anew.
	back     backoff
	attached time.Time // when its last link began

	// Guarded by client.mu.
	opening bool      // it is being opened anew
	used    bool      // PipeTo has given it
	away    time.Time // since when it waits for its link; zero if it has one
}

// instance is what a pipe stays by when its link is lost: the peer's key and, of the side that
// opened it, a random number.
type instance struct {
	key    keys.PublicKey
	number [wire.IDSize]byte
}

var _ channel.Conn = (*Pipe)(nil)

// newPipe makes a pipe that has no link yet. lost is called when it has lost one and may get
// another. Call it with c.mu held.
func (c *Client) newPipe(peer *channel.Peer, number [wire.IDSize]byte, lost func(*Pipe)) *Pipe {
	p := &Pipe{
		client: c, peer: peer, id: instance{peer.Key, number}, safety: keys.SafetyNumber(c.Key(), peer.Key),
		back: backoff{first: firstReopen, most: mostReopen},
	}
	p.conn.Conn = durable.New(&durable.Config{
		Resend: c.cfg.Delivery == AtLeastOnce, Wait: c.cfg.PipeGrace,
		Final: func(err error) bool { return c.cfg.NoReconnect || closedByPeer(err) != nil },
		Lost:  func(error) { lost(p) },
	})
	c.pipes[p] = struct{}{}
	c.ends.Add(1)
	context.AfterFunc(p.conn.Context(), func() {
		defer c.ends.Done()
		p.present()
		c.mu.Lock()
		if c.taken[p.id] == p {
			delete(c.taken, p.id)
		}
		if c.byKey[peer.Key] == p {
			delete(c.byKey, peer.Key)
		}
		c.owe(p)
		c.mu.Unlock()
		p.conn.Wait()
		c.mu.Lock()
		delete(c.pipes, p)
		c.mu.Unlock()
	})
	return p
}

// attachTo is attach for the side that opened the pipe and was let in.
func (p *Pipe) attachTo(conn *secure.Conn, w *wire.Welcome) error {
	if p.linked() {
		p.conn.Link().Cut(errNewLink)
	}
	p.conn.Books().Welcomed(w.Record)
	p.attached = time.Now()
	return p.attach(conn, true, w.MaxMessage)
}

// attach lets the pipe go on over a connection, which it takes over. Call it with p.attaching held.
func (p *Pipe) attach(conn *secure.Conn, initiator bool, peerMax uint32) error {
	c := p.client
	if p.linked() {
		p.conn.Link().Cut(errNewLink)
	}
	l := link.New(conn, &link.Config{
		Initiator: initiator, Peer: p.peer, From: p, Mux: c.mux, Listeners: &c.listeners,
		MaxMessage: c.cfg.maxMessage(), PeerMaxMessage: peerMax, StreamWindow: c.cfg.StreamWindow, Logger: c.cfg.Logger,
		Books: p.conn.Books(),
	})
	p.tally.begin(l, nil)
	if c.isClosed() {
		p.conn.End(channel.ErrClosed)
	} else if hop := c.conn.Context(); hop.Err() != nil {
		p.conn.End(endOfPipes(context.Cause(hop))) // it may have been made too late for the client's end to find it
	}
	if err := p.conn.Attach(l); err != nil {
		return err
	}
	p.absent()
	return nil
}

// present notes whether the pipe has a link.
func (p *Pipe) present() { p.here.check(p.linked) }

func (p *Pipe) linked() bool {
	l := p.conn.Link()
	return l != nil && l.Context().Err() == nil
}

// absent is present, and notes since when it has none.
func (p *Pipe) absent() {
	p.present()
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	switch {
	case p.linked():
		p.away = time.Time{}
	case p.away.IsZero():
		p.away = time.Now()
	}
}

// Away reports whether the pipe is without its peer at the moment, and since when: its session or
// ours was lost, and a pipe that outlives that has to be opened anew. A peer who has only lost his
// connection is not away here as long as the server keeps his session, nor is one of a pipe that
// has ended.
func (p *Pipe) Away() (since time.Time, away bool) {
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	return p.away, !p.away.IsZero() && p.alive()
}

// alive reports whether the pipe goes on, with or without a link at the moment.
func (p *Pipe) alive() bool { return p.conn.Context().Err() == nil }

// within gives a call that sends something the end that Config.FailOffline wants.
func (p *Pipe) within(ctx context.Context) (context.Context, func()) {
	if !p.client.cfg.FailOffline {
		return ctx, nothing
	}
	return bound(ctx, &p.client.here, &p.here)
}

// Peer is the client at the other end.
func (p *Pipe) Peer() channel.Peer { return *p.peer }

// SafetyNumber is 12 groups of 5 digits that are the same at both ends, in every session, as long
// as both have their keys. If two people find theirs equal, nobody is between them.
func (p *Pipe) SafetyNumber() string { return p.safety }

// Context is done when the pipe has ended, not when it has lost its peer for a time that
// Config.PipeGrace allows; context.Cause says why.
func (p *Pipe) Context() context.Context { return p.conn.Context() }

// Send sends body to the peer on a channel; see channel.Conn and Client.Send.
func (p *Pipe) Send(ctx context.Context, name string, body []byte) error {
	if err := p.owed(); err != nil {
		return err
	}
	ctx, done := p.within(ctx)
	defer done()
	return p.conn.Send(ctx, name, channel.Raw, body)
}

// SendMessage sends a message to the peer; see channel.Conn.
func (p *Pipe) SendMessage(ctx context.Context, m *channel.Message) error {
	if err := p.owed(); err != nil {
		return err
	}
	ctx, done := p.within(ctx)
	defer done()
	return p.conn.Send(ctx, m.Channel, m.Encoding, m.Body)
}

// SendAcked is Send, and waits until the peer's application has taken the message; see channel.Conn.
func (p *Pipe) SendAcked(ctx context.Context, name string, body []byte) error {
	if err := p.owed(); err != nil {
		return err
	}
	ctx, done := p.within(ctx)
	defer done()
	return p.conn.SendAcked(ctx, name, channel.Raw, body)
}

// Flush waits until the peer's application has taken everything sent before; see channel.Conn.
func (p *Pipe) Flush(ctx context.Context) error {
	if err := p.owed(); err != nil {
		return err
	}
	ctx, done := p.within(ctx)
	defer done()
	return p.conn.Flush(ctx)
}

// Request asks the peer and waits for the answer; see channel.Conn.
func (p *Pipe) Request(ctx context.Context, name string, body []byte) (*channel.Message, error) {
	ctx, done := p.within(ctx)
	defer done()
	return p.conn.Request(ctx, name, channel.Raw, body)
}

// RequestMessage asks the peer and waits for the answer; see channel.Conn.
func (p *Pipe) RequestMessage(ctx context.Context, m *channel.Message) (*channel.Message, error) {
	ctx, done := p.within(ctx)
	defer done()
	return p.conn.Request(ctx, m.Channel, m.Encoding, m.Body)
}

// OpenStream opens a stream to the peer's Listen of that name; see channel.Conn.
func (p *Pipe) OpenStream(ctx context.Context, name string) (net.Conn, error) {
	ctx, done := p.within(ctx)
	defer done()
	return p.conn.OpenStream(ctx, name)
}

// Run lets the client's handlers be called for the pipe's messages, and waits until ctx or the pipe
// ends. It is needed for pipes from OpenPipe and AcceptPipe only: Client.Run and SendTo do it for
// theirs.
func (p *Pipe) Run(ctx context.Context) error {
	p.conn.Run()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.conn.Context().Done():
		return context.Cause(p.conn.Context())
	}
}

// Ping measures the time to the peer and back.
func (p *Pipe) Ping(ctx context.Context) (time.Duration, error) {
	ctx, done := p.within(ctx)
	defer done()
	return p.conn.Ping(ctx)
}

// Close sends what Send accepted and ends the pipe; see channel.Conn. If the peer is not there at
// the moment there is nobody to tell: a peer that has a Pipe of its own waiting finds out when its
// Config.PipeGrace is over. It does not wait for what AtLeastOnce still has to send again, and
// returns a *channel.GapError then, as it does when the peer has not answered in time and messages
// are not known to have been taken.
func (p *Pipe) Close() error { return p.CloseWithReason(channel.CodeClosed, "") }

// CloseWithReason is Close with a code and a text of at most 255 bytes that the peer sees.
func (p *Pipe) CloseWithReason(code channel.Code, text string) error { return p.conn.Close(code, text) }
