package client

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/keys"
)

// A Client is a connection to a server. It is a channel.Conn, and its methods may be called by
// several goroutines at once.
type Client struct {
	cfg  Config
	name string
	peer channel.Peer
	link *link.Link
	mux  *channel.Mux

	ctx    context.Context
	cancel context.CancelCauseFunc

	listeners  link.Listeners // for streams through pipes
	fromServer link.Listeners
	waiting    chan *Pipe     // accepted by their handshake, and by nobody else yet
	wg         sync.WaitGroup // goroutines that accept or await pipes
	ends       sync.WaitGroup // pipes that have not ended, or whose handlers have not returned

	mu      sync.Mutex
	closed  bool
	running bool                     // Run was called
	held    int                      // pipes in their handshake or in waiting
	shaking map[string]int           // of these, those in their handshake, by the opener's name
	pipes   map[*Pipe]struct{}       // all that are open
	byKey   map[keys.PublicKey]*Pipe // those that SendTo uses
	opening map[string]*opening      // those that SendTo opens at the moment, by name
}

var _ channel.Conn = (*Client)(nil)

// Name is the name that the server has bound to the client's key.
func (c *Client) Name() string { return c.name }

// Key is the client's own public key.
func (c *Client) Key() keys.PublicKey { return c.cfg.Keys.Private.Public() }

// Peer is the server.
func (c *Client) Peer() channel.Peer { return c.peer }

// Context is done when the connection is; context.Cause says why.
func (c *Client) Context() context.Context { return c.ctx }

// Send sends body to the server on a channel; see channel.Conn.
func (c *Client) Send(ctx context.Context, name string, body []byte) error {
	return c.link.Send(ctx, name, channel.Raw, body)
}

// SendMessage sends a message to the server; see channel.Conn.
func (c *Client) SendMessage(ctx context.Context, m *channel.Message) error {
	return c.link.Send(ctx, m.Channel, m.Encoding, m.Body)
}

// Flush waits until the server's application has taken everything sent before; see channel.Conn.
func (c *Client) Flush(ctx context.Context) error { return c.link.Flush(ctx) }

// Request asks the server and waits for the answer; see channel.Conn.
func (c *Client) Request(ctx context.Context, name string, body []byte) (*channel.Message, error) {
	return c.link.Request(ctx, name, channel.Raw, body)
}

// RequestMessage asks the server and waits for the answer; see channel.Conn.
func (c *Client) RequestMessage(ctx context.Context, m *channel.Message) (*channel.Message, error) {
	return c.link.Request(ctx, m.Channel, m.Encoding, m.Body)
}

// OpenStream opens a stream to the server; see channel.Conn.
func (c *Client) OpenStream(ctx context.Context, name string) (net.Conn, error) {
	return openStream(ctx, c.link, name)
}

func openStream(ctx context.Context, l *link.Link, name string) (net.Conn, error) {
	s, err := l.OpenStream(ctx, name)
	if err != nil {
		return nil, err // not s, which would be a net.Conn that is not nil
	}
	return s, nil
}

// Listen takes the streams of a name that peers open through pipes; the server cannot open any of them. channel.PeerOf says who opened an accepted
// one. Close the listener to stop; accepted streams outlive it. Its Accept waits until a stream comes or the listener or the client is closed.
// At most 128 streams of a name wait for it; the opener of one more gets CodeBusy.
func (c *Client) Listen(name string) (net.Listener, error) { return c.listen(&c.listeners, name) }

// ListenServer is Listen for the streams that the server opens, and no one else.
func (c *Client) ListenServer(name string) (net.Listener, error) {
	return c.listen(&c.fromServer, name)
}

func (c *Client) listen(on *link.Listeners, name string) (net.Listener, error) {
	if err := keys.CheckChannel(name); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, channel.ErrClosed
	}
	return on.Listen(name)
}

// Handle registers the handler of a channel, for messages from the server and, through pipes, from peers: the
// handler's from tells them apart. It panics as channel.Mux.Handle does. Handlers are called from Run or the
// first Receive on.
func (c *Client) Handle(name string, h channel.Handler) { c.mux.Handle(name, h) }

// Fallback registers a handler for the channels that have none.
func (c *Client) Fallback(h channel.Handler) { c.mux.Fallback(h) }

// Receive waits for the next message from the server on a channel that has no handler; those of channels that have one go there from now
// on, as after Run. It stops at ctx's end or the connection's; what had
// arrived before the server closed the connection is still returned.
func (c *Client) Receive(ctx context.Context) (*channel.Message, error) { return c.link.Receive(ctx) }

// Run lets handlers be called, and waits until ctx or the connection ends. From then on pipes that peers open are accepted by themselves and their
// messages go to the same handlers, so AcceptPipe is not needed. When ctx ends Run returns its cause; handlers go on until the client is closed.
// When the connection ends Run returns why: ErrClosed, a *CloseError or a *LostError.
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	if !c.running && !c.closed {
		c.running = true
		c.wg.Add(1)
		go c.takePipes() // stops when the connection ends
	}
	c.mu.Unlock()
	c.link.Run()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// Ping measures the time to the server and back.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) { return c.link.Ping(ctx) }

// Close closes the pipes, sends what Send accepted, and ends the connection. It waits for the network at most a few seconds.
func (c *Client) Close() error { return c.CloseWithReason(channel.CodeClosed, "") }

// CloseWithReason is Close with a code and a text of at most 255 bytes that the server sees.
func (c *Client) CloseWithReason(code channel.Code, text string) error {
	c.mu.Lock()
	c.closed = true
	pipes := make([]*Pipe, 0, len(c.pipes))
	for p := range c.pipes {
		pipes = append(pipes, p)
	}
	c.mu.Unlock()
	var closing sync.WaitGroup
	for _, p := range pipes {
		closing.Go(func() { _ = p.CloseWithReason(code, text) }) // its error is of what the peer did not take; Flush tells
	}
	closing.Wait()
	err := c.link.Close(code, text)
	c.listeners.CloseAll()
	c.fromServer.CloseAll()
	c.wg.Wait()
	return err
}
