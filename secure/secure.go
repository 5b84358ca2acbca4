// Package secure turns a net.Conn into an authenticated, encrypted net.Conn.
//
// Both sides hold an X25519 identity key. They run
// Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256 (Noise XX with a post-quantum
// KEM beside the first key exchange) and then exchange sealed records:
//
//	initiator                                  responder
//	Initiate(ctx, conn, cfg)                   Accept(ctx, conn, cfg)
//	  preamble, message 1      ------------>
//	                           <------------     message 2
//	  cfg.VerifyPeer(key)
//	  message 3 with cfg.Hello ------------>   Pending: PeerKey(), Hello()
//	                           <------------     Welcome(…) or Refuse(…)
//	*Conn, or *RefusedError                    *Conn
//
// The initiator learns the responder's key after message 2 and decides in
// VerifyPeer whether it wants to go on; nothing that identifies it has left it
// by then. The responder learns the initiator's key and hello with message 3
// and answers with a verdict, the first record there is.
//
// Whoever has the keys of both sides can be in the middle, with a handshake to
// each. A proof by a secret that only the two have is not passed on by that if
// it covers the hash of the handshake: see Config.HelloFor and
// Pending.HandshakeHash.
//
// What this gives: both sides are who their keys say; what is said is secret
// and unaltered, also from someone who records it today and has both identity
// keys or a quantum computer later; identities are hidden from observers. What
// it does not give: authentication against a quantum computer during the
// handshake, and hiding of sizes and times.
//
// A stream ends with an authenticated record (CloseWrite, Close). If the
// connection ends without it, Read says so with a *TruncatedError, never
// io.EOF. The first record that fails to open ends its direction for good.
package secure

import (
	"context"
	"crypto/ecdh"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure/internal/noise"
)

const (
	// MaxHello bounds Config.Hello, in bytes.
	MaxHello = 4096
	// MaxWelcome bounds what Welcome takes, in bytes.
	MaxWelcome = 4096
	// MaxRefusal bounds the text of a refusal, in bytes.
	MaxRefusal = 255

	// DefaultTimeout is what a Config.Timeout of 0 means.
	DefaultTimeout = 10 * time.Second
)

// Config is one side's part in a handshake. It may serve many handshakes at
// once; this package does not change it.
type Config struct {
	// Key is the own identity. Required.
	Key *keys.PrivateKey

	// Pipe binds the handshake to one pipe; nil means a hop, that is, a client
	// and a server on a transport connection. Both sides need the same, or the
	// handshake fails authentication.
	Pipe *Binding

	// Hello is what the initiator says about itself, at most MaxHello bytes.
	// It is encrypted to a responder whose key VerifyPeer has accepted.
	Hello []byte

	// HelloFor makes the hello in the place of Hello, which must then be empty:
	// for one that holds a proof, which should be good in this handshake only,
	// or that should be as new as can be. It is called once, after VerifyPeer
	// has accepted and before message 3 is made, and runs within Timeout. hash
	// is that of the handshake so far, 32 bytes that are the same on both sides
	// (Pending.HelloHash) and differ for every handshake; they are public. What
	// it returns is not kept, nor is hash. An error, or more than MaxHello
	// bytes, ends the handshake; Initiate's error then wraps it.
	HelloFor func(hash []byte) ([]byte, error)

	// VerifyPeer decides about the responder's key, for the initiator only,
	// which must set it. An error ends the handshake as a *PeerKeyError
	// before anything that tells the initiator's identity is sent. The
	// callback runs within Timeout.
	VerifyPeer func(keys.PublicKey) error

	// Timeout bounds the handshake, beside ctx: for Initiate up to the verdict,
	// for Accept up to message 3, and again for the verdict to be written.
	// 0 means DefaultTimeout.
	Timeout time.Duration

	// Gate bounds how many handshakes are in their expensive step at once; nil
	// means no bound. Servers share one among all their connections.
	Gate *Gate

	fixed *noise.Fixed // for golden tests
}

// Binding says which pipe a handshake belongs to, so that it cannot be passed
// off as another's: a random id that the opener chose, and both names as they
// are in the open request, each at most 65535 bytes.
type Binding struct {
	ID             [16]byte // random, the opener's choice
	Opener, Target string   // names, as in the open request
}

func (c *Config) check() error {
	switch {
	case c == nil || c.Key == nil:
		return errors.New("secure: Config.Key is required")
	case c.Timeout < 0:
		return errors.New("secure: Config.Timeout is negative")
	case c.Pipe != nil && max(len(c.Pipe.Opener), len(c.Pipe.Target)) > 0xffff:
		return errors.New("secure: a name in Config.Pipe is longer than 65535 bytes")
	}
	return nil
}

func (c *Config) timeout() time.Duration {
	if c.Timeout == 0 {
		return DefaultTimeout
	}
	return c.Timeout
}

func (c *Config) noise(initiator bool, preamble [preambleSize]byte) (*noise.HandshakeState, error) {
	return noise.New(noise.Config{
		Suite:     noise.XXhfs,
		Initiator: initiator,
		Prologue:  prologue(preamble, c.Pipe),
		Static:    c.Key.ECDH(),
		Fixed:     c.fixed,
	})
}

// peerKey turns what the handshake proved into an identity, and refuses our
// own: a peer that is ourselves is a mirror or a mistake.
func (c *Config) peerKey(static *ecdh.PublicKey) (keys.PublicKey, error) {
	peer, err := keys.NewPublicKey(static.Bytes())
	if err != nil {
		return keys.PublicKey{}, fmt.Errorf("%w: the peer's key: %w", ErrHandshake, err)
	}
	if peer == c.Key.Public() {
		return keys.PublicKey{}, ErrOwnKey
	}
	return peer, nil
}

// Gate bounds how many handshakes do their public-key cryptography at once, so
// that a flood of them takes neither all cores nor much memory.
type Gate struct{ slots chan struct{} }

// NewGate makes a gate that n pass at once; n < 1 means one less than the
// cores, and at least one.
func NewGate(n int) *Gate {
	if n < 1 {
		n = max(1, runtime.GOMAXPROCS(0)-1)
	}
	return &Gate{slots: make(chan struct{}, n)}
}

// run calls f when there is room, or gives up with ctx.
func (g *Gate) run(ctx context.Context, f func() error) error {
	if g != nil {
		select {
		case g.slots <- struct{}{}:
			defer func() { <-g.slots }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if ctx.Err() != nil { // it ended while we waited: nobody is there to compute for
			return context.Cause(ctx)
		}
	}
	return f()
}

// within runs f and makes its I/O on conn end when ctx does or after d. Unless
// all went well it closes conn. No goroutine is left when it returns.
func within(ctx context.Context, conn net.Conn, d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d, ErrTimeout)
	defer cancel()
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	err := f(ctx)
	if !stop() {
		<-interrupted
		if err == nil || isDeadline(err) || errors.Is(err, context.Cause(ctx)) {
			err = interruption(ctx)
		}
	}
	if err != nil {
		conn.Close()
	}
	return err
}

// interruption says why ctx ended, so that errors.Is finds both the cause and
// the context's own error.
func interruption(ctx context.Context) error {
	cause := context.Cause(ctx)
	if cause == ErrTimeout || errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("secure: handshake: %w", cause)
	}
	return fmt.Errorf("secure: handshake: %w: %w", ctx.Err(), cause)
}
