package keys

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// KnownServers remembers the key that the server at an address had when it was first
// met. It is a text file with a line "HOST:PORT pysock1…" for each; lines that start
// with # are comments. Addresses are compared by [NormalizeAddress].
//
// Any number of goroutines and processes may use one file at once: entries are never
// lost, and never seen half written. Methods that write wait for each other.
type KnownServers struct {
	store knownStore
}

// DefaultKnownServers returns the path of the user's file of known servers,
// pysock/known_servers in the folder of [os.UserConfigDir].
func DefaultKnownServers() (string, error) { return defaultPath("known_servers") }

func defaultPath(name string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding the folder for %s: %w", name, err)
	}
	return filepath.Join(dir, "pysock", name), nil
}

// OpenKnownServers returns the known servers in the file at path. A file that is not
// there yet knows nobody, and is made when there is something to remember. A file
// that is there is read once, so that what is wrong with it is said here, by a
// [*FileError].
func OpenKnownServers(path string) (*KnownServers, error) {
	s := &KnownServers{knownStore{path: path, what: "server", check: checkServerLine}}
	if _, err := s.store.read(); err != nil {
		return nil, err
	}
	return s, nil
}

func checkServerLine(words []string) (string, error) {
	if len(words) != 1 {
		return "", errors.New("this is not a known server; write HOST:PORT KEY with one space between them, or remove the line")
	}
	return words[0], checkNormalAddress(words[0])
}

// Path returns the path of the file.
func (s *KnownServers) Path() string { return s.store.path }

// Lookup returns the key that is remembered for the address, and whether there is one.
func (s *KnownServers) Lookup(address string) (PublicKey, bool, error) {
	id, err := NormalizeAddress(address)
	if err != nil {
		return PublicKey{}, false, err
	}
	e, ok, err := s.store.lookup(id)
	return e.Key, ok, err
}

// Check returns a [*ChangedKeyError] if another key is remembered for the address. It
// returns nil if this key is, and also if none is: [KnownServers.Lookup] tells.
func (s *KnownServers) Check(address string, key PublicKey) error {
	id, err := NormalizeAddress(address)
	if err != nil {
		return err
	}
	k, err := s.store.read()
	if err != nil {
		return err
	}
	return s.store.compare(k, id, id, key)
}

// Remember remembers the key for the address. If this key is remembered already it
// does nothing; if another is, it changes nothing and returns a [*ChangedKeyError].
func (s *KnownServers) Remember(address string, key PublicKey) error {
	id, err := NormalizeAddress(address)
	if err != nil {
		return err
	}
	return s.store.remember(id, id, key)
}

// Forget removes the address, so that the next key it has is believed. If it is not
// there the error is [ErrNotKnown].
func (s *KnownServers) Forget(address string) error {
	id, err := NormalizeAddress(address)
	if err != nil {
		return err
	}
	return s.store.forget(id)
}

// All returns the entries in the order of the file.
func (s *KnownServers) All() ([]Known, error) { return s.store.all("") }

// all returns the entries whose id starts with the scope, which it takes off.
func (s *knownStore) all(scope string) ([]Known, error) {
	k, err := s.read()
	if err != nil {
		return nil, err
	}
	list := slices.Collect(maps.Values(k.entries))
	list = slices.DeleteFunc(list, func(e Known) bool { return !strings.HasPrefix(e.Name, scope) })
	for i := range list {
		list[i].Name = strings.TrimPrefix(list[i].Name, scope)
	}
	slices.SortFunc(list, func(a, b Known) int { return cmp.Compare(a.Line, b.Line) })
	return list, nil
}
