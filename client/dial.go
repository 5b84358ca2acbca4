package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// keepAlive finds a server that is gone, and keeps address translators on the way from forgetting the connection.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}

// Dial connects to the server at the address HOST:PORT, the key file's if it is empty, and returns when the server has let the client in. It
// tries once.
//
// Errors to act on: a *channel.Error with the server's code if it refused (CodeUnknownKey, CodeNameTaken, …), a
// *keys.ChangedKeyError if the server has another key than it should, ErrUnknownServer if nothing says which key it should have, and those of package
// secure, of the network and of ctx.
func Dial(ctx context.Context, address string, cfg *Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if address == "" {
		if cfg.Keys.Server == nil {
			return nil, errors.New("client: no address: give one, or add server: {address: HOST:PORT} to the key file")
		}
		address = cfg.Keys.Server.Address
	}
	trust, err := newServerTrust(address, cfg)
	if err != nil {
		return nil, err
	}
	hello, err := cfg.hello()
	if err != nil {
		return nil, err
	}

	dial := cfg.DialContext
	if dial == nil {
		dial = (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext
	}
	raw, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting to the server: %w", err)
	}
	if raw == nil {
		return nil, errors.New("client: Config.DialContext returned neither a connection nor an error")
	}
	conn, err := secure.Initiate(ctx, raw, &secure.Config{
		Key: cfg.Keys.Private, Hello: hello, VerifyPeer: trust.check, Timeout: cfg.Timeout,
	})
	if err != nil {
		return nil, dialError(address, err)
	}
	if err := trust.remember(conn.PeerKey()); err != nil {
		conn.Close()
		return nil, err
	}
	c, err := newClient(conn, cfg)
	if err != nil {
		conn.Close()
		return nil, dialError(address, err)
	}
	return c, nil
}

// dialError says what went wrong, in terms of this package.
func dialError(address string, err error) error {
	var refused *secure.RefusedError
	var changed *keys.ChangedKeyError
	var cut *secure.TruncatedError
	switch {
	case errors.As(err, &cut):
		return fmt.Errorf("the server at %q ended the connection during the handshake, it may be overloaded: %w", address, err)
	case errors.As(err, &refused):
		return fmt.Errorf("the server at %q refused the connection: %w", address,
			&channel.Error{Code: channel.Code(refused.Code), Text: refused.Text, Remote: true})
	case errors.As(err, &changed):
		return changed
	}
	return fmt.Errorf("the server at %q: %w", address, err)
}

func (c *Config) maxMessage() uint32 {
	if c.MaxMessage == 0 {
		return wire.DefaultMaxMessage
	}
	return uint32(min(max(c.MaxMessage, wire.MinMaxMessage)+wire.MessageOverhead, wire.MaxMaxMessage))
}

func (c *Config) hello() ([]byte, error) {
	groups := slices.Clone(c.Groups)
	slices.Sort(groups)
	for _, g := range groups {
		if err := keys.CheckName(g); err != nil {
			return nil, fmt.Errorf("client: group: %w", err)
		}
	}
	h := wire.Hello{Transient: c.Transient, MaxMessage: c.maxMessage(), Name: c.Keys.Name, Groups: slices.Compact(groups)}
	return h.Append(nil)
}

// newClient makes the client of a connection that the server has welcomed.
func newClient(conn *secure.Conn, cfg *Config) (*Client, error) {
	w, err := wire.ParseWelcome(conn.Welcome())
	if err != nil {
		return nil, err
	}
	if err := keys.CheckName(w.Name); err != nil {
		return nil, fmt.Errorf("the name that the server gave us: %w", err)
	}
	if cfg.Keys.Name != "" && w.Name != cfg.Keys.Name {
		return nil, fmt.Errorf("the server knows this key as %q, the key file says %q: change the name in one of them", w.Name, cfg.Keys.Name)
	}
	c := &Client{
		cfg: *cfg, name: w.Name, mux: cfg.Handler,
		peer:    channel.Peer{Name: keys.ServerName, Key: conn.PeerKey(), Addr: conn.RemoteAddr()},
		byKey:   make(map[keys.PublicKey]*Pipe),
		opening: make(map[string]*opening),
		shaking: make(map[string]int),
		pipes:   make(map[*Pipe]struct{}),
		waiting: make(chan *Pipe, maxWaiting),
	}
	if c.mux == nil {
		c.mux = new(channel.Mux)
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.link = link.New(conn, &link.Config{
		Initiator: true, Peer: &c.peer, From: c, Mux: c.mux, Listeners: &c.fromServer, OpenPipe: c.pipeOpened,
		MaxMessage: cfg.maxMessage(), PeerMaxMessage: w.MaxMessage, StreamWindow: cfg.StreamWindow, Logger: cfg.Logger,
	})
	context.AfterFunc(c.link.Context(), func() { c.cancel(context.Cause(c.link.Context())) })
	return c, nil
}
