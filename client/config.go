package client

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
)

// Config says who the client is and whom it trusts. Only Keys is required.
// Dial does not change it; one Config may serve several Dials.
type Config struct {
	// Keys is the client's key file: its identity, its server, its peers.
	Keys *keys.File

	// Transient asks for a session of one errand: it has the name of the key, replaces no other session and
	// cannot be addressed. Commands that send something and exit use it.
	Transient bool

	// Groups are the groups to join. The server refuses those that its policy does not allow.
	Groups []string

	// KnownServers remembers servers that the key file does not name the key of: trust on first use. If it is nil such a
	// server is refused.
	KnownServers *keys.KnownServers

	// KnownPeers remembers peers that the key file does not have: trust on first use. A peer whose key was learnt that way is marked Unverified.
	// If it is nil a pipe to a peer that is not in the key file is refused.
	KnownPeers *keys.KnownPeers

	// AcceptStrangers accepts pipes from peers that are neither in the key file nor known, and remembers them
	// in KnownPeers, which must be set.
	AcceptStrangers bool

	// NoPipes refuses every pipe that others open.
	NoPipes bool

	// Handler has the handlers for messages of the server and of peers; see Client.Run. If it is nil the client has an empty one of its own.
	Handler *channel.Mux

	// DialContext connects to the server, for proxies and tests; nil for a net.Dialer. The network is "tcp".
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// Timeout bounds the handshake, 0 for 10 s. Dial's ctx bounds connecting and the handshake together.
	Timeout time.Duration

	// MaxMessage is the largest message accepted, in bytes of its body: 0 for 16 MiB, less than 64 KiB is raised to that,
	// more than 1 GiB lowered.
	MaxMessage int

	// StreamWindow is how much one stream or pipe may hold that has not been read, in bytes; 0 for 512 KiB.
	StreamWindow int

	// Logger takes panics and errors of handlers; nil for slog.Default().
	Logger *slog.Logger
}

var errNoKeys = errors.New("client: Config.Keys with a private key is required: keys.Load reads it from a key file")

func (c *Config) check() error {
	switch {
	case c == nil || c.Keys == nil || c.Keys.Private == nil:
		return errNoKeys
	case c.AcceptStrangers && c.KnownPeers == nil:
		return errors.New("client: AcceptStrangers needs KnownPeers to remember them in")
	}
	return nil
}
