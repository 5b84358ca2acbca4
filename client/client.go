package client

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/durable"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// A Client is a connection to a server, for as long as the server lets the client in: it outlives
// the connections of the network below. It is a channel.Conn, and its methods may be called by
// several goroutines at once.
type Client struct {
	cfg    Config
	clock  clock
	self   *self
	peer   channel.Peer
	conn   connection
	mux    *channel.Mux
	keeper *keeper
	states states
	here   online
	roster *roster
	tally  tally

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
	pipes   map[*Pipe]struct{}       // all that are open, or wait for their peer, or have ended and have handlers that run
	taken   map[instance]*Pipe       // of those that have not ended, those that peers have opened
	byKey   map[keys.PublicKey]*Pipe // those that SendTo uses
	opening map[string]*opening      // those that SendTo opens at the moment, by name

	// What SendTo is to tell of pipes that it does not use any more. Guarded by mu, but owing, the
	// number of entries, which is written with mu held.
	owed  map[keys.PublicKey]*channel.GapError
	owing atomic.Int32
}

var _ channel.Conn = (*Client)(nil)

// newClient makes the client of a connection that the server has welcomed.
func newClient(conn *secure.Conn, w wire.Welcome, d *dialer, now clock) (*Client, error) {
	c := &Client{
		cfg: *d.cfg, clock: now, self: d.self, mux: d.cfg.Handler, roster: newRoster(),
		peer:    channel.Peer{Name: keys.ServerName, Key: conn.PeerKey(), Addr: conn.RemoteAddr()},
		byKey:   make(map[keys.PublicKey]*Pipe),
		opening: make(map[string]*opening),
		owed:    make(map[keys.PublicKey]*channel.GapError),
		shaking: make(map[string]int),
		pipes:   make(map[*Pipe]struct{}),
		taken:   make(map[instance]*Pipe),
		waiting: make(chan *Pipe, maxWaiting),
	}
	if c.mux == nil {
		c.mux = new(channel.Mux)
	}
	c.keeper = newKeeper(c, d)
	c.conn = connection{durable.New(&durable.Config{
		Resend: c.cfg.Delivery == AtLeastOnce, Wait: -1, Final: c.endsWith, Lost: func(error) { c.keeper.ring() },
	}), true}
	if err := c.keeper.begin(conn, &w); err != nil {
		c.keeper.stop()
		return nil, err
	}
	context.AfterFunc(c.conn.Context(), c.ended)
	go c.keeper.run() // stops when the client has ended
	return c, nil
}

// Name is the name that the server knows the client by: the one that it has bound to the key or,
// since the session began, what Rename has got or the server's application has given it. Of the
// latter the client hears within the time of a message; Selves tells when it does.
func (c *Client) Name() string {
	name, _ := c.self.is()
	return name
}

// Key is the client's own public key.
func (c *Client) Key() keys.PublicKey { return c.cfg.Keys.Private.Public() }

// Peer is the server. Its address is that of the first connection; State has the present one's.
func (c *Client) Peer() channel.Peer { return c.peer }

// Context is done when the client has ended, not when a connection is lost; context.Cause says why:
// ErrClosed; a *channel.CloseError with what the server said, also if it did so when the client came
// back after a loss; a *channel.LostError if who answered then is another server, or with
// Config.NoReconnect with what was seen of the loss; or a *channel.GapError with one of these in it.
func (c *Client) Context() context.Context { return c.conn.Context() }

// within gives a call that sends something the end that Config.FailOffline wants.
func (c *Client) within(ctx context.Context) (context.Context, func()) {
	if !c.cfg.FailOffline {
		return ctx, nothing
	}
	return bound(ctx, &c.here)
}

// Send sends body to the server on a channel; see channel.Conn.
//
// While the client is Resuming what Send accepts waits to be sent. That is not much: of each
// channel about 64 KiB that the server has not taken, where each message counts 32 bytes more than
// its body, or what the server had allowed more; and in all at most what Config.ResumeBuffer and a
// queue of 1 MiB hold. A message that does not fit waits, as one larger than 64 KiB most often
// does, or with Config.FailOffline Send returns ErrOffline. While the client is Connecting there is
// no session to send on, and every message waits.
func (c *Client) Send(ctx context.Context, name string, body []byte) error {
	ctx, done := c.within(ctx)
	defer done()
	return c.conn.Send(ctx, name, channel.Raw, body)
}

// SendMessage sends a message to the server; see channel.Conn.
func (c *Client) SendMessage(ctx context.Context, m *channel.Message) error {
	ctx, done := c.within(ctx)
	defer done()
	return c.conn.Send(ctx, m.Channel, m.Encoding, m.Body)
}

// SendAcked is Send, and waits until the server's application has taken the message; see channel.Conn.
func (c *Client) SendAcked(ctx context.Context, name string, body []byte) error {
	ctx, done := c.within(ctx)
	defer done()
	return c.conn.SendAcked(ctx, name, channel.Raw, body)
}

// Flush waits until the server's application has taken everything sent before; see channel.Conn.
func (c *Client) Flush(ctx context.Context) error {
	ctx, done := c.within(ctx)
	defer done()
	return c.conn.Flush(ctx)
}

// Request asks the server and waits for the answer; see channel.Conn.
func (c *Client) Request(ctx context.Context, name string, body []byte) (*channel.Message, error) {
	ctx, done := c.within(ctx)
	defer done()
	return c.conn.Request(ctx, name, channel.Raw, body)
}

// RequestMessage asks the server and waits for the answer; see channel.Conn.
func (c *Client) RequestMessage(ctx context.Context, m *channel.Message) (*channel.Message, error) {
	ctx, done := c.within(ctx)
	defer done()
	return c.conn.Request(ctx, m.Channel, m.Encoding, m.Body)
}

// OpenStream opens a stream to the server; see channel.Conn.
func (c *Client) OpenStream(ctx context.Context, name string) (net.Conn, error) {
	ctx, done := c.within(ctx)
	defer done()
	return c.conn.OpenStream(ctx, name)
}

// Listen takes the streams of a name that peers open through pipes; the server cannot open any of
// them. channel.PeerOf says who opened an accepted one. Close the listener to stop; accepted
// streams outlive it. Its Accept waits until a stream comes or the listener or the client is
// closed. At most 128 streams of a name wait for it; the opener of one more gets CodeBusy.
func (c *Client) Listen(name string) (net.Listener, error) { return c.listen(&c.listeners, name) }

// ListenServer is Listen for the streams that the server opens, and no one else.
func (c *Client) ListenServer(name string) (net.Listener, error) {
	ln, err := c.listen(&c.fromServer, name)
	if err != nil {
		return nil, err
	}
	return sessionListener{ln}, nil
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

// Handle registers the handler of a channel, for messages from the server and, through pipes, from
// peers: the handler's from tells them apart. It panics as channel.Mux.Handle does. Handlers are
// called from Run or the first Receive on. A message to a group comes from the server: from is the
// client, and m.From and m.Group say who sent it to which group.
func (c *Client) Handle(name string, h channel.Handler) { c.mux.Handle(name, h) }

// Fallback registers a handler for the channels that have none.
func (c *Client) Fallback(h channel.Handler) { c.mux.Fallback(h) }

// Use puts middleware round every handler; see channel.Mux.Use. With a Config.Handler that several
// clients share it is round the handlers of all.
func (c *Client) Use(mw ...func(next channel.Handler) channel.Handler) { c.mux.Use(mw...) }

// OnError registers what is told of messages that could not be handled, in place of the log; see
// channel.Mux.OnError. With a Config.Handler that several clients share it is told of those of all:
// ErrorEvent.Conn says whose.
func (c *Client) OnError(h func(channel.ErrorEvent)) { c.mux.OnError(h) }

// Run lets handlers be called, and waits until ctx or the client ends. From then on pipes that
// peers open are accepted by themselves and their messages go to the same handlers, so AcceptPipe
// is not needed. When ctx ends Run returns its cause; handlers go on until the client is closed.
// When the client ends Run returns why, as its Context does.
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	if !c.running && !c.closed {
		c.running = true
		c.wg.Add(1)
		go c.takePipes() // stops when the client ends
	}
	c.mu.Unlock()
	c.conn.Run()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.conn.Context().Done():
		return sessionLost(context.Cause(c.conn.Context()))
	}
}

// Ping measures the time to the server and back.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	ctx, done := c.within(ctx)
	defer done()
	return c.conn.Ping(ctx)
}
