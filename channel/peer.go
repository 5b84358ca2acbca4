package channel

import (
	"fmt"
	"net"

	"github.com/pysock/pysock/keys"
)

// A Peer is who is at the other end of a connection. The key is what was
// proven; the name is the label that the server, or this end's own key file,
// binds to that key.
type Peer struct {
	// Name passed keys.CheckName, so it has no white space and nothing that a terminal obeys. It
	// may still look like another: show the key's fingerprint where that matters.
	Name string

	// Key is what the peer proved to have the private part of.
	Key keys.PublicKey

	// Groups are the groups that the peer was in when it was asked for, or when the message came,
	// sorted. What a server tells of others has them too; of a pipe's other end they are not known.
	// The slice is shared: do not change it.
	Groups []string

	// Addr is the network address of the other end, nil for a pipe.
	Addr net.Addr

	// Unverified is set for a peer whose key was taken from the server's word, under trust on first use, and
	// not from a key file or an earlier comparison by people.
	Unverified bool
}

// String gives the quoted name and the key's fingerprint.
func (p Peer) String() string {
	return fmt.Sprintf("%q (%s)", p.Name, p.Key.Fingerprint())
}
