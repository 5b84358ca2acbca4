package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// What a Config has where it says nothing.
const (
	// DefaultPipeGrace is what a Config.PipeGrace of 0 means.
	DefaultPipeGrace = 2 * time.Minute
	// DefaultRenewAfter is what a Config.RenewAfter of 0 means.
	DefaultRenewAfter = 24 * time.Hour
	// DefaultRenewBytes is what a Config.RenewBytes of 0 means: 64 GiB.
	DefaultRenewBytes = 64 << 30
	// DefaultResumeBuffer is what a Config.ResumeBuffer of 0 means: 4 MiB.
	DefaultResumeBuffer = 4 << 20
)

// Delivery says what becomes of messages that the other application is not known to have taken when
// a session or a pipe's link is lost for good and another begins. As long as connections are
// resumed there are none, and both are the same.
type Delivery uint8

const (
	// AtMostOnce tells of them with a *channel.GapError and never sends them again. A message that
	// came, whose taking was not heard of, is among them.
	AtMostOnce Delivery = iota
	// AtLeastOnce keeps each message until the other application has taken it, and sends it again.
	// What that application has taken already it does not get a second time as long as it is
	// remembered there: by a server for its grace time (two minutes as a rule) after the session
	// has ended, by a peer as long as its end of the pipe waits, which is its PipeGrace. Later, or
	// if its process was restarted, it may. Close does not wait for what is still to be sent again:
	// it returns a *channel.GapError with that.
	AtLeastOnce
)

// Config says who the client is and whom it trusts. Only Keys is required.
// Dial does not change it; one Config may serve several Dials.
type Config struct {
	// Keys is the client's key file: its identity, its server, its peers.
	Keys *keys.File

	// Addresses are more addresses HOST:PORT of the same server, with the same key, besides the one
	// that Dial is given or the key file has. They are tried in turn, beginning with the one that
	// worked last.
	Addresses []string

	// Transient asks for a session of one errand: it has the name of the key, replaces no other session and
	// cannot be addressed. Commands that send something and exit use it.
	Transient bool

	// Groups are the groups to join, 16 at most. A server whose policy does not allow one of them
	// refuses the client, with CodeRefused. Client.JoinGroup and LeaveGroup add to them and take
	// away later.
	Groups []string

	// KnownServers remembers servers that the key file does not name the key of: trust on first
	// use. If it is nil such a server is refused.
	KnownServers *keys.KnownServers

	// KnownPeers remembers peers that the key file does not have: trust on first use. A peer whose
	// key was learnt that way is marked Unverified. If it is nil a pipe to a peer that is not in
	// the key file is refused.
	KnownPeers *keys.KnownPeers

	// AcceptStrangers accepts pipes from peers that are neither in the key file nor known, and remembers them
	// in KnownPeers, which must be set.
	AcceptStrangers bool

	// NoPipes refuses every pipe that others open.
	NoPipes bool

	// Handler has the handlers for messages of the server and of peers; see Client.Run. If it is
	// nil the client has an empty one of its own. Several clients may share one: Handle, Fallback,
	// Use and OnError of each are then those of all.
	Handler *channel.Mux

	// NoReconnect ends the client, and each of its pipes, with the first loss that resuming cannot
	// mend: the server closed the session, does not know it any more, or could not be reached for
	// as long as it said that it keeps one.
	NoReconnect bool

	// Delivery says what becomes of messages that may be lost with a session; see there.
	Delivery Delivery

	// FailOffline lets calls that send something return ErrOffline instead of waiting: while the
	// client is not Online, and those of a Pipe also while it has no link, as Pipe.Away tells; and
	// if they wait when that begins. A peer who has lost his connection is not known to be away
	// until the server's grace for him is over: until then calls on the pipe wait. Calls that need
	// not wait succeed all the same: Send as far as Client.Send says, and Flush if there is nothing
	// to wait for. What a call that failed had queued already, SendAcked its message, may still
	// arrive.
	FailOffline bool

	// DialContext connects to the server, for proxies and tests; nil for a net.Dialer, which races
	// IPv6 and IPv4. The network is "tcp". It is called again for each new connection. Its ctx ends
	// when the attempt does, and must not end the connection.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// Timeout bounds the handshake, 0 for 10 s. Dial's ctx bounds connecting and the handshake
	// together, and so does Timeout from the second connection on, and in Dial if there are several
	// addresses.
	Timeout time.Duration

	// PipeTimeout is how long a peer may take to answer OpenPipe; 0 for Timeout. One who has lost
	// his connection answers when he is back: to wait for him set it to more than a server's grace,
	// two minutes as a rule, and let ctx bound OpenPipe. Each attempt to open a pipe anew after a
	// loss, and handshakes of pipes that others open, are bounded by Timeout.
	PipeTimeout time.Duration

	// KeepAlive is how long the connection may be silent before the client asks whether the server
	// is there, 0 for 15 s. A server that is not heard of for 10 s more is taken for lost, and the
	// client connects anew.
	KeepAlive time.Duration

	// PipeGrace is how long a pipe may be without its peer before it ends; 0 for DefaultPipeGrace.
	// It begins when this client notices: for a peer whose connection was lost that is when the
	// server's grace for him is over, and for a client that has lost its own when its session is.
	PipeGrace time.Duration

	// RenewAfter is how old a connection becomes before a new one with fresh keys takes its place,
	// unnoticed, with up to a fifth of it less; 0 for DefaultRenewAfter, which is also the most.
	RenewAfter time.Duration

	// RenewBytes is how many bytes a connection carries, both directions together, before a new one
	// takes its place, with up to a fifth of it less; 0 for DefaultRenewBytes, which is also the
	// most.
	RenewBytes int64

	// ResumeBuffer is how many bytes are kept that the server has not acknowledged, to send them
	// again over the next connection; 0 for DefaultResumeBuffer. When they are used up, sending
	// waits. It is not what a Send may be ahead while the client is offline: see Client.Send.
	ResumeBuffer int

	// MaxMessage is the largest message accepted, in bytes of its body: 0 for 16 MiB, less than 64
	// KiB is raised to that, more than 1 GiB lowered.
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
	case c.Delivery > AtLeastOnce:
		return errors.New("client: Config.Delivery is neither AtMostOnce nor AtLeastOnce")
	}
	for _, size := range []struct {
		name string
		n    int64
	}{
		{"Timeout", int64(c.Timeout)}, {"PipeTimeout", int64(c.PipeTimeout)}, {"KeepAlive", int64(c.KeepAlive)},
		{"PipeGrace", int64(c.PipeGrace)}, {"RenewAfter", int64(c.RenewAfter)},
		{"RenewBytes", c.RenewBytes}, {"ResumeBuffer", int64(c.ResumeBuffer)}, {"StreamWindow", int64(c.StreamWindow)},
	} {
		if size.n < 0 {
			return fmt.Errorf("client: Config.%s is negative: leave it 0 for what is usual", size.name)
		}
	}
	return nil
}

// withDefaults is a copy of the Config as it is meant.
func (c *Config) withDefaults() Config {
	d := *c
	if d.Timeout == 0 {
		d.Timeout = secure.DefaultTimeout
	}
	if d.PipeTimeout == 0 {
		d.PipeTimeout = d.Timeout
	}
	if d.PipeGrace == 0 {
		d.PipeGrace = DefaultPipeGrace
	}
	if d.RenewAfter == 0 || d.RenewAfter > DefaultRenewAfter {
		d.RenewAfter = DefaultRenewAfter
	}
	if d.RenewBytes == 0 || d.RenewBytes > DefaultRenewBytes {
		d.RenewBytes = DefaultRenewBytes
	}
	if d.ResumeBuffer == 0 {
		d.ResumeBuffer = DefaultResumeBuffer
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	return d
}
