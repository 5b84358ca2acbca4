package secure

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure/internal/noise"
)

// Initiate runs the initiator's side on conn and returns with the responder's
// verdict. It takes conn over: on any error, conn is closed. It blocks until
// the verdict is there, ctx is done or Config.Timeout has passed.
//
// Errors to act on: ErrNotPySock, *VersionError, *PeerKeyError, ErrOwnKey,
// ErrHandshake, *RefusedError, ErrTimeout, *TruncatedError, and those of ctx
// and of conn.
func Initiate(ctx context.Context, conn net.Conn, cfg *Config) (*Conn, error) {
	err := cfg.check()
	switch {
	case err != nil:
	case cfg.VerifyPeer == nil:
		err = errors.New("secure: Config.VerifyPeer is required")
	case cfg.Hello != nil && cfg.HelloFor != nil:
		err = errors.New("secure: there is Config.Hello and Config.HelloFor")
	case len(cfg.Hello) > MaxHello:
		err = errLongHello
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	var c *Conn
	err = within(ctx, conn, cfg.timeout(), func(ctx context.Context) error {
		var err error
		if c, err = initiate(ctx, conn, cfg); err != nil {
			return err
		}
		c.welcome, err = c.in.verdict()
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func initiate(ctx context.Context, conn net.Conn, cfg *Config) (*Conn, error) {
	preamble := local.preamble()
	hs, err := cfg.noise(true, preamble)
	if err != nil {
		return nil, err
	}
	var out []byte
	err = cfg.Gate.run(ctx, func() error {
		return apart(func() (err error) {
			first := append(make([]byte, 0, preambleSize+lengthSize+message1Size), preamble[:]...)
			out, err = frame(first, func(b []byte) ([]byte, error) { return hs.WriteMessage(b, nil) })
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(out); err != nil {
		return nil, fmt.Errorf("secure: sending message 1: %w", err)
	}
	msg, err := readMessage2(conn)
	if err != nil {
		return nil, err
	}

	var peer keys.PublicKey
	var res *noise.Result
	err = cfg.Gate.run(ctx, func() error {
		return apart(func() error {
			payload, err := hs.ReadMessage(nil, msg)
			if err != nil {
				return handshakeError(err)
			}
			if len(payload) != 0 {
				return violation("message 2 has a payload")
			}
			peer, err = cfg.peerKey(hs.PeerStatic())
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if err := cfg.VerifyPeer(peer); err != nil {
		return nil, &PeerKeyError{Key: peer, Err: err}
	}
	hello, err := cfg.hello(hs)
	if err != nil {
		return nil, err
	}
	err = cfg.Gate.run(ctx, func() (err error) {
		out, err = frame(make([]byte, 0, lengthSize+message3Min+len(hello)), func(b []byte) ([]byte, error) {
			return hs.WriteMessage(b, hello)
		})
		if err != nil {
			return handshakeError(err)
		}
		res, err = hs.Split()
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(out); err != nil {
		return nil, fmt.Errorf("secure: sending message 3: %w", err)
	}
	return established(conn, cfg.Key.Public(), peer, res, true), nil
}

var errLongHello = fmt.Errorf("secure: the hello is longer than %d bytes", MaxHello)

// hello is what message 3 carries, after message 2.
func (c *Config) hello(hs *noise.HandshakeState) ([]byte, error) {
	if c.HelloFor == nil {
		return c.Hello, nil
	}
	hash := hs.Hash()
	hello, err := c.HelloFor(hash[:])
	switch {
	case err != nil:
		return nil, fmt.Errorf("secure: making the hello: %w", err)
	case len(hello) > MaxHello:
		return nil, errLongHello
	}
	return hello, nil
}

// readMessage2 reads message 2, or finds out that there will be none.
func readMessage2(conn net.Conn) ([]byte, error) {
	buf := make([]byte, lengthSize+message2Size)
	n, err := fill(conn, buf, 0, lengthSize)
	if err != nil {
		return nil, err
	}
	if string(buf[:lengthSize]) == magic[:lengthSize] {
		if _, err = fill(conn, buf, n, preambleSize); err != nil {
			return nil, err
		}
		remote, ok := parsePreamble([preambleSize]byte(buf))
		switch {
		case !ok:
			return nil, ErrNotPySock
		case remote.Major == local.Major:
			return nil, violation("a preamble of our own version instead of message 2")
		}
		return nil, &VersionError{Local: local, Remote: remote}
	}
	if size := binary.BigEndian.Uint16(buf); size != message2Size {
		return nil, fmt.Errorf("%w: message 2 has %d bytes", ErrNotPySock, size)
	}
	_, err = fill(conn, buf, n, len(buf))
	return buf[lengthSize:], err
}
