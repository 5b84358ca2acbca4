package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// dialer makes one connection after another to the same server, in the same name. It is for one goroutine at a time.
type dialer struct {
	cfg       *Config
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	addresses []string
	trust     []*serverTrust // of each address
	turn      int            // index of the address to try next: the one that worked, until an attempt fails
	self      *self
	groups    []string          // that the last hello asked for
	instance  [wire.IDSize]byte // of the client, for its life

	// What the first welcome has fixed. The key is zero until then.
	server keys.PublicKey
	name   string
}

func newDialer(address string, cfg *Config) (*dialer, error) {
	d := &dialer{cfg: cfg, dial: cfg.DialContext}
	if d.dial == nil {
		d.dial = (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext
	}
	groups := slices.Clone(cfg.Groups)
	slices.Sort(groups)
	groups = slices.Compact(groups)
	for _, g := range groups {
		if err := keys.CheckName(g); err != nil {
			return nil, fmt.Errorf("client: group: %w", err)
		}
	}
	d.self = newSelf(groups)
	rand.Read(d.instance[:])
	all := []string{address}
	if address == "" {
		if cfg.Keys.Server == nil {
			return nil, errors.New("client: no address: give one, or add server: {address: HOST:PORT} to the key file")
		}
		all = append([]string{cfg.Keys.Server.Address}, cfg.Keys.Server.Also...)
	}
	for i, a := range append(all, cfg.Addresses...) {
		if _, err := keys.NormalizeAddress(a); err != nil {
			if i >= len(all) {
				return nil, fmt.Errorf("client: Config.Addresses[%d]: %w", i-len(all), err)
			}
			return nil, fmt.Errorf("client: %w", err)
		}
		if slices.Contains(d.addresses, a) {
			continue
		}
		t, err := newServerTrust(a, cfg)
		if err != nil {
			return nil, err
		}
		d.addresses, d.trust = append(d.addresses, a), append(d.trust, t)
	}
	return d, nil
}

// address is where the next attempt goes.
func (d *dialer) address() string { return d.addresses[d.turn] }

// tokenFor makes the token of a hello, for the handshake that has the hash before it.
type tokenFor func(hash [resume.HashSize]byte) *wire.Token

// tryNext connects to the address whose turn it is; the next one's comes if that fails. The context
// bounds all of it. With ask, which may be nil, it asks for a session to go on: it is called at
// most once, right before the token is sent.
func (d *dialer) tryNext(ctx context.Context, ask tokenFor) (*secure.Conn, wire.Welcome, error) {
	conn, w, err := d.connect(ctx, d.addresses[d.turn], d.trust[d.turn], ask)
	if err != nil {
		d.next()
	}
	return conn, w, err
}

// next gives the turn to the next address.
func (d *dialer) next() { d.turn = (d.turn + 1) % len(d.addresses) }

// tryInTime is tryNext within Config.Timeout.
func (d *dialer) tryInTime(ctx context.Context, ask tokenFor) (*secure.Conn, wire.Welcome, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.cfg.Timeout, secure.ErrTimeout)
	defer cancel()
	return d.tryNext(ctx, ask)
}

func (d *dialer) connect(ctx context.Context, address string, trust *serverTrust,
	ask tokenFor) (*secure.Conn, wire.Welcome, error) {
	cfg := &secure.Config{
		Key: d.cfg.Keys.Private, Timeout: d.cfg.Timeout,
		VerifyPeer: func(key keys.PublicKey) error {
			if !d.server.IsZero() && d.server != key {
				return &keys.ChangedKeyError{What: "server", Name: address, Known: d.server, Offered: key}
			}
			return trust.check(key)
		},
	}
	var token *wire.Token
	if ask == nil {
		var err error
		if cfg.Hello, err = d.hello(nil); err != nil {
			return nil, wire.Welcome{}, err
		}
	} else {
		cfg.HelloFor = func(hash []byte) ([]byte, error) {
			token = ask([resume.HashSize]byte(hash))
			return d.hello(token)
		}
	}
	raw, err := d.dial(ctx, "tcp", address)
	if err != nil {
		return nil, wire.Welcome{}, fmt.Errorf("connecting to the server: %w", err)
	}
	if raw == nil {
		return nil, wire.Welcome{}, errors.New("client: Config.DialContext returned neither a connection nor an error")
	}
	conn, err := secure.Initiate(ctx, raw, cfg)
	if err != nil {
		return nil, wire.Welcome{}, dialError(address, err)
	}
	if err := trust.remember(conn.PeerKey()); err != nil {
		conn.Close()
		return nil, wire.Welcome{}, err
	}
	w, err := wire.ParseWelcome(conn.Welcome())
	if err == nil {
		err = d.checkWelcome(&w, token)
	}
	if err != nil {
		conn.Close()
		return nil, wire.Welcome{}, dialError(address, err)
	}
	d.server, d.name = conn.PeerKey(), w.Name
	return conn, w, nil
}

func (d *dialer) hello(token *wire.Token) ([]byte, error) {
	d.groups = d.self.hello()
	h := wire.Hello{
		Transient: d.cfg.Transient, Features: wire.FeatureResume, MaxMessage: d.cfg.maxMessage(), Name: d.cfg.Keys.Name,
		Groups:   d.groups,
		Instance: d.instance, Resume: token,
	}
	return h.Append(nil)
}

// errChangedName ends a client whose name the server has changed: peers know it by the old one, and
// so do the names that its pipes are bound to.
var errChangedName = errors.New("the server knows this key by another name now")

// checkWelcome decides whether a welcome fits what we asked for and what we know.
func (d *dialer) checkWelcome(w *wire.Welcome, token *wire.Token) error {
	if err := keys.CheckName(w.Name); err != nil {
		return fmt.Errorf("the name that the server gave us: %w", err)
	}
	switch {
	case w.Features&^wire.FeatureResume != 0:
		return errors.New("the server's welcome has a feature that was not offered")
	case d.cfg.Keys.Name != "" && w.Name != d.cfg.Keys.Name:
		return fmt.Errorf("the server knows this key as %q, the key file says %q: change the name in one of them",
			w.Name, d.cfg.Keys.Name)
	case d.name != "" && w.Name != d.name:
		return fmt.Errorf("%w: %q, and %q before", errChangedName, w.Name, d.name)
	case w.Resumed && (token == nil || w.Session != token.Session):
		return errors.New("the server resumed a session that was not asked for")
	case !w.Resumed && w.Record == [wire.IDSize]byte{}:
		return errNoRecord
	}
	return nil
}
