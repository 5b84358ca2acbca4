package client

import (
	"context"
	"net"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// A Pipe is an end-to-end encrypted connection to another client. The server carries it and cannot read it. It is a channel.Conn, and its methods
// may be called by several goroutines at once.
type Pipe struct {
	client *Client
	peer   *channel.Peer
	link   *link.Link
	safety string
}

var _ channel.Conn = (*Pipe)(nil)

// newPipe makes the pipe of a handshake that is done. Call it without c.mu held.
func (c *Client) newPipe(conn *secure.Conn, peer *channel.Peer, initiator bool, peerMax uint32) *Pipe {
	p := &Pipe{client: c, peer: peer, safety: keys.SafetyNumber(c.Key(), peer.Key)}
	p.link = link.New(conn, &link.Config{
		Initiator: initiator, Peer: peer, From: p, Mux: c.mux, Listeners: &c.listeners,
		MaxMessage: c.cfg.maxMessage(), PeerMaxMessage: peerMax, StreamWindow: c.cfg.StreamWindow, Logger: c.cfg.Logger,
	})
	c.mu.Lock()
	closed := c.closed
	c.pipes[p] = struct{}{}
	c.ends.Add(1)
	c.mu.Unlock()
	if closed {
		p.link.Cut(channel.ErrClosed)
	}
	context.AfterFunc(p.link.Context(), func() {
		defer c.ends.Done()
		c.mu.Lock()
		delete(c.pipes, p)
		if c.byKey[peer.Key] == p {
			delete(c.byKey, peer.Key)
		}
		c.mu.Unlock()
		p.link.Wait()
	})
	return p
}

// Peer is the client at the other end.
func (p *Pipe) Peer() channel.Peer { return *p.peer }

// SafetyNumber is 12 groups of 5 digits that are the same at both ends, in every session, as long as both have their keys. If two people
// find theirs equal, nobody is between them.
func (p *Pipe) SafetyNumber() string { return p.safety }

// Context is done when the pipe is; context.Cause says why.
func (p *Pipe) Context() context.Context { return p.link.Context() }

// Send sends body to the peer on a channel; see channel.Conn.
func (p *Pipe) Send(ctx context.Context, name string, body []byte) error {
	return p.link.Send(ctx, name, channel.Raw, body)
}

// SendMessage sends a message to the peer; see channel.Conn.
func (p *Pipe) SendMessage(ctx context.Context, m *channel.Message) error {
	return p.link.Send(ctx, m.Channel, m.Encoding, m.Body)
}

// Flush waits until the peer's application has taken everything sent before; see channel.Conn.
func (p *Pipe) Flush(ctx context.Context) error { return p.link.Flush(ctx) }

// Request asks the peer and waits for the answer; see channel.Conn.
func (p *Pipe) Request(ctx context.Context, name string, body []byte) (*channel.Message, error) {
	return p.link.Request(ctx, name, channel.Raw, body)
}

// RequestMessage asks the peer and waits for the answer; see channel.Conn.
func (p *Pipe) RequestMessage(ctx context.Context, m *channel.Message) (*channel.Message, error) {
	return p.link.Request(ctx, m.Channel, m.Encoding, m.Body)
}

// OpenStream opens a stream to the peer's Listen of that name; see channel.Conn.
func (p *Pipe) OpenStream(ctx context.Context, name string) (net.Conn, error) {
	return openStream(ctx, p.link, name)
}

// Receive waits for the next message from the peer on a channel that has no handler; see Client.Receive.
func (p *Pipe) Receive(ctx context.Context) (*channel.Message, error) { return p.link.Receive(ctx) }

// Run lets the client's handlers be called for the pipe's messages, and waits until ctx or the pipe ends. It is needed for pipes from OpenPipe and AcceptPipe only:
// Client.Run and SendTo do it for theirs.
func (p *Pipe) Run(ctx context.Context) error {
	p.link.Run()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.link.Context().Done():
		return context.Cause(p.link.Context())
	}
}

// Ping measures the time to the peer and back.
func (p *Pipe) Ping(ctx context.Context) (time.Duration, error) { return p.link.Ping(ctx) }

// Close sends what Send accepted and ends the pipe; see channel.Conn.
func (p *Pipe) Close() error { return p.CloseWithReason(channel.CodeClosed, "") }

// CloseWithReason is Close with a code and a text of at most 255 bytes that the peer sees.
func (p *Pipe) CloseWithReason(code channel.Code, text string) error { return p.link.Close(code, text) }
