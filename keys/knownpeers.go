package keys

import (
	"errors"
	"fmt"
)

// KnownPeers remembers the key that the peer of a name had when it was first met. It
// is a text file with a line "OWN HOST:PORT NAME KEY" for each: one's own public key,
// the server's address, the peer's name and its key.
//
// A name means something only on one server, and to one identity: two identities of
// a user, or two servers, do not share entries though they share a file. The server
// is told by its address and not by its key, so that a server that gets a new key
// does not thereby get to introduce all peers anew.
//
// It is as safe for use at once as [KnownServers].
type KnownPeers struct {
	store knownStore
	scope string // "OWN HOST:PORT "
}

// DefaultKnownPeers returns the path of the user's file of known peers,
// pysock/known_peers in the folder of [os.UserConfigDir].
func DefaultKnownPeers() (string, error) { return defaultPath("known_peers") }

// OpenKnownPeers returns the peers that the identity with the public key own knows
// through the server at the address HOST:PORT. As with [OpenKnownServers], the file
// need not be there, and is read once to say what is wrong with it.
func OpenKnownPeers(path string, own PublicKey, server string) (*KnownPeers, error) {
	if own.IsZero() {
		return nil, fmt.Errorf("%w: known peers belong to an identity, and none is given", ErrInvalidKey)
	}
	address, err := NormalizeAddress(server)
	if err != nil {
		return nil, err
	}
	p := &KnownPeers{
		store: knownStore{path: path, what: "peer", check: checkPeerLine},
		scope: own.String() + " " + address + " ",
	}
	if _, err := p.store.read(); err != nil {
		return nil, err
	}
	return p, nil
}

func checkPeerLine(words []string) (string, error) {
	if len(words) != 3 {
		return "", errors.New("this is not a known peer; write OWN-KEY HOST:PORT NAME KEY with one space between them, or remove the line")
	}
	if _, err := ParsePublicKey(words[0]); err != nil {
		return "", err
	}
	if err := checkNormalAddress(words[1]); err != nil {
		return "", err
	}
	if err := CheckClientName(words[2]); err != nil {
		return "", err
	}
	return words[0] + " " + words[1] + " " + words[2], nil
}

// Path returns the path of the file.
func (p *KnownPeers) Path() string { return p.store.path }

// Lookup returns the key that is remembered for the name, and whether there is one.
func (p *KnownPeers) Lookup(name string) (PublicKey, bool, error) {
	if err := CheckClientName(name); err != nil {
		return PublicKey{}, false, err
	}
	e, ok, err := p.store.lookup(p.scope + name)
	return e.Key, ok, err
}

// Check returns a [*ChangedKeyError] if another key is remembered for the name. It
// returns nil if this key is, and also if none is: [KnownPeers.Lookup] tells.
func (p *KnownPeers) Check(name string, key PublicKey) error {
	if err := CheckClientName(name); err != nil {
		return err
	}
	k, err := p.store.read()
	if err != nil {
		return err
	}
	return p.store.compare(k, p.scope+name, name, key)
}

// Remember remembers the key for the name. If this key is remembered already it does
// nothing; if another is, it changes nothing and returns a [*ChangedKeyError].
func (p *KnownPeers) Remember(name string, key PublicKey) error {
	if err := CheckClientName(name); err != nil {
		return err
	}
	return p.store.remember(p.scope+name, name, key)
}

// Forget removes the name, so that the next key it has is believed. If it is not
// there the error is [ErrNotKnown].
func (p *KnownPeers) Forget(name string) error {
	if err := CheckClientName(name); err != nil {
		return err
	}
	return p.store.forget(p.scope + name)
}

// All returns the entries of this identity and server in the order of the file.
func (p *KnownPeers) All() ([]Known, error) { return p.store.all(p.scope) }
