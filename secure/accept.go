package secure

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure/internal/noise"
)

// Pending is an initiator that has proven its key and waits for a verdict.
// Exactly one of Welcome, Refuse and Close must be called.
type Pending struct {
	c         *Conn
	cfg       *Config
	hello     []byte
	helloHash [noise.HashSize]byte // before message 3
	decided   atomic.Bool
}

// Accept runs the responder's side on conn up to message 3. It takes conn
// over: on any error, conn is closed. It blocks until message 3 is there, ctx
// is done or Config.Timeout has passed. VerifyPeer is not called: the caller
// decides by Pending.PeerKey.
//
// The initiator is told nothing about errors here, save for a version that we
// do not speak.
func Accept(ctx context.Context, conn net.Conn, cfg *Config) (*Pending, error) {
	if err := cfg.check(); err != nil {
		conn.Close()
		return nil, err
	}
	p := &Pending{cfg: cfg}
	err := within(ctx, conn, cfg.timeout(), func(ctx context.Context) error {
		preamble, msg1, err := readMessage1(conn)
		if err != nil {
			return err
		}
		hs, err := answer(ctx, conn, cfg, preamble, msg1)
		if err != nil {
			return err
		}
		return p.finish(ctx, conn, hs)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// readMessage1 reads all that comes before message 2 in one read, if it is
// there: nothing may follow it, so the buffer ends where it ends.
func readMessage1(conn net.Conn) (preamble [preambleSize]byte, msg1 []byte, err error) {
	buf := make([]byte, preambleSize+lengthSize+message1Size)
	n, err := fill(conn, buf, 0, preambleSize)
	if err != nil {
		return preamble, nil, err
	}
	preamble = [preambleSize]byte(buf)
	remote, ok := parsePreamble(preamble)
	switch {
	case !ok:
		return preamble, nil, ErrNotPySock
	case remote.Major != local.Major:
		sendVersion(conn)
		return preamble, nil, &VersionError{Local: local, Remote: remote}
	}
	if n, err = fill(conn, buf, n, preambleSize+lengthSize); err != nil {
		return preamble, nil, err
	}
	msg1 = buf[preambleSize+lengthSize:]
	if size := binary.BigEndian.Uint16(buf[preambleSize:]); size != message1Size {
		return preamble, nil, violation("message 1 has %d bytes", size)
	}
	_, err = fill(conn, buf, n, len(buf))
	return preamble, msg1, err
}

// sendVersion tells our version and waits for the other side to have seen it:
// TCP drops what was sent if a socket is closed with bytes unread.
func sendVersion(conn net.Conn) {
	preamble := local.preamble()
	if _, err := conn.Write(preamble[:]); err != nil {
		return
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		io.Copy(io.Discard, io.LimitReader(conn, 1<<16))
	}
}

// answer is the expensive step: one KEM encapsulation and three DH.
func answer(ctx context.Context, conn net.Conn, cfg *Config, preamble [preambleSize]byte,
	msg1 []byte) (*noise.HandshakeState, error) {
	var hs *noise.HandshakeState
	var out []byte
	err := cfg.Gate.run(ctx, func() error {
		return apart(func() (err error) {
			if hs, err = cfg.noise(false, preamble); err != nil {
				return err
			}
			if _, err = hs.ReadMessage(nil, msg1); err != nil {
				return handshakeError(err)
			}
			out, err = frame(make([]byte, 0, lengthSize+message2Size), func(b []byte) ([]byte, error) {
				return hs.WriteMessage(b, nil)
			})
			return handshakeError(err) // the peer's e may be of small order
		})
	})
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(out); err != nil {
		return nil, fmt.Errorf("secure: sending message 2: %w", err)
	}
	return hs, nil
}

// finish reads message 3 and fills in p.
func (p *Pending) finish(ctx context.Context, conn net.Conn, hs *noise.HandshakeState) error {
	buf := make([]byte, 256)
	n, err := fill(conn, buf, 0, lengthSize)
	if err != nil {
		return err
	}
	size := int(binary.BigEndian.Uint16(buf))
	if size < message3Min || size > message3Max {
		return violation("message 3 has %d bytes", size)
	}
	if size += lengthSize; size > len(buf) {
		buf = append(buf, make([]byte, size-len(buf))...)
	}
	if n, err = fill(conn, buf, n, size); err != nil {
		return err
	}
	if n > size {
		return violation("bytes between message 3 and the verdict")
	}
	return p.cfg.Gate.run(ctx, func() error {
		p.helloHash = hs.Hash()
		if p.hello, err = hs.ReadMessage(nil, buf[lengthSize:size]); err != nil {
			return handshakeError(err)
		}
		peer, err := p.cfg.peerKey(hs.PeerStatic())
		if err != nil {
			return err
		}
		res, err := hs.Split()
		if err != nil {
			return err
		}
		p.c = established(conn, p.cfg.Key.Public(), peer, res, false)
		return nil
	})
}

// PeerKey returns the key that the initiator has proven to hold.
func (p *Pending) PeerKey() keys.PublicKey { return p.c.peer }

// Hello returns what the initiator said about itself, at most MaxHello bytes
// that only mean what the holder of PeerKey wants them to. The slice is the
// caller's.
func (p *Pending) Hello() []byte { return p.hello }

// HelloHash returns the 32 bytes that the initiator's Config.HelloFor was given:
// the hash of the handshake before message 3, to check what in the hello is
// bound to it. The slice is the caller's.
func (p *Pending) HelloHash() []byte { return append([]byte{}, p.helloHash[:]...) }

// HandshakeHash returns what Conn.HandshakeHash will on both sides, for a
// welcome that is bound to this handshake. The slice is the caller's.
func (p *Pending) HandshakeHash() []byte { return p.c.HandshakeHash() }

// RemoteAddr returns the address of the underlying connection.
func (p *Pending) RemoteAddr() net.Addr { return p.c.RemoteAddr() }

// Welcome lets the initiator in and hands it welcome, at most MaxWelcome
// bytes, which is not kept. It blocks until the verdict is written, ctx is
// done or Config.Timeout has passed. On an error the connection is closed.
func (p *Pending) Welcome(ctx context.Context, welcome []byte) (*Conn, error) {
	return p.WelcomeWith(ctx, welcome, nil)
}

// WelcomeWith is Welcome for a responder that has something to do before the
// initiator hears that it is in, such as making it known to others: join, which
// may be nil, is called with the connection while the verdict is yet to be
// written. It may begin to read and keep the connection; what others write
// waits for the verdict, so it must not itself wait for a write. join is not
// called if the Pending was answered before or welcome is too long.
func (p *Pending) WelcomeWith(ctx context.Context, welcome []byte, join func(*Conn)) (*Conn, error) {
	verdict, err := encodeWelcome(welcome)
	if err != nil {
		p.Close()
		return nil, err
	}
	p.c.welcome = append([]byte{}, welcome...)
	if err := p.send(ctx, verdict, join); err != nil {
		return nil, err
	}
	return p.c, nil
}

// Refuse turns the initiator away with a code and a text, ends the stream and
// closes the connection. A text over MaxRefusal bytes or that is not UTF-8 is
// an error, and then the initiator learns nothing. It blocks as Welcome does.
func (p *Pending) Refuse(ctx context.Context, code uint16, text string) error {
	verdict, err := encodeRefusal(code, text)
	if err != nil {
		p.Close()
		return err
	}
	if err := p.send(ctx, verdict, nil); err != nil {
		return err
	}
	return p.c.Close()
}

// Close ends the connection without a verdict. After Welcome or Refuse it
// does nothing and returns ErrDecided.
func (p *Pending) Close() error {
	if !p.decided.CompareAndSwap(false, true) {
		return ErrDecided
	}
	return p.c.CloseNow()
}

func (p *Pending) send(ctx context.Context, verdict []byte, join func(*Conn)) error {
	if !p.decided.CompareAndSwap(false, true) {
		return ErrDecided
	}
	return within(ctx, p.c.conn, p.cfg.timeout(), func(context.Context) error {
		return p.c.out.verdict(verdict, func() {
			if join != nil {
				join(p.c)
			}
		})
	})
}
