package client

import (
	"errors"
	"fmt"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// ErrUnknownServer is returned by Dial if nothing says which key the server should have.
var ErrUnknownServer = errors.New("nothing says which key the server should have: add it to the key file as server: {address: HOST:PORT, key: pysock1…}, or allow trust on first use")

// ErrNameMismatch is returned if a peer proved a key that belongs to another of the client's peers.
var ErrNameMismatch = errors.New("the peer has the key of another of our peers")

// serverTrust decides whether a server's key is the one it should have.
type serverTrust struct {
	address string
	pinned  keys.PublicKey
	path    string
	known   *keys.KnownServers
}

func newServerTrust(address string, cfg *Config) (*serverTrust, error) {
	t := &serverTrust{address: address, path: cfg.Keys.Path, known: cfg.KnownServers}
	if cfg.Keys.Server != nil {
		t.pinned = cfg.Keys.Server.Key
	}
	if t.pinned.IsZero() && t.known == nil {
		return nil, ErrUnknownServer
	}
	return t, nil
}

// check is the secure layer's VerifyPeer: it runs before anything that tells who we are is sent.
func (t *serverTrust) check(key keys.PublicKey) error {
	switch {
	case t.pinned == key:
		return nil
	case !t.pinned.IsZero():
		return &keys.ChangedKeyError{What: "server", Name: t.address, Known: t.pinned, Offered: key, Path: t.path}
	}
	return t.known.Check(t.address, key)
}

// remember keeps the key of a server that was met for the first time.
func (t *serverTrust) remember(key keys.PublicKey) error {
	if !t.pinned.IsZero() {
		return nil
	}
	return t.known.Remember(t.address, key)
}

// peerTrust is what the client knows of a peer's key before a pipe's handshake.
type peerTrust struct {
	name   string
	known  keys.PublicKey // zero: to be learnt
	learnt bool           // not from the key file
	path   string
}

// trustOf finds what is known of the peer of a name. stranger says whether one that nothing is known of will do.
func (c *Client) trustOf(name string, stranger bool) (*peerTrust, error) {
	if key, ok := c.cfg.Keys.Peers[name]; ok {
		return &peerTrust{name: name, known: key, path: c.cfg.Keys.Path}, nil
	}
	if c.cfg.KnownPeers != nil {
		key, ok, err := c.cfg.KnownPeers.Lookup(name)
		if err != nil {
			return nil, err
		}
		if ok || stranger {
			return &peerTrust{name: name, known: key, learnt: true, path: c.cfg.KnownPeers.Path()}, nil
		}
	}
	file := c.cfg.Keys.Path
	if file == "" {
		file = "FILE"
	}
	return nil, &channel.Error{Code: channel.CodeUnknownPeer,
		Text: fmt.Sprintf("no key for %q: add it with: pysock trust add --keys %s %s pysock1…, or, if it was renamed, use the name that the key file has for it", name, file, name)}
}

// check decides about the key that the peer has proven.
func (t *peerTrust) check(key keys.PublicKey) error {
	if !t.known.IsZero() && t.known != key {
		return &keys.ChangedKeyError{What: "peer", Name: t.name, Known: t.known, Offered: key, Path: t.path}
	}
	return nil
}

// accept notes a key that was learnt, and returns who the peer is. A key that is in the key file
// under another name is not believed to be a stranger's.
func (c *Client) accept(t *peerTrust, key keys.PublicKey) (*channel.Peer, error) {
	if t.learnt {
		for _, k := range c.cfg.Keys.Peers {
			if k == key {
				return nil, ErrNameMismatch
			}
		}
		if err := c.cfg.KnownPeers.Remember(t.name, key); err != nil {
			return nil, err
		}
	}
	return &channel.Peer{Name: t.name, Key: key, Unverified: t.learnt}, nil
}
