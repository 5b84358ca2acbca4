package secure

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure/internal/noise"
)

// HeadRoom and TailRoom are the bytes that WriteRecord needs free before and
// after the content.
const (
	HeadRoom = headerSize + typeSize
	TailRoom = noise.TagSize
)

// closeGrace is how long Close tries to send the end of the stream when the
// other side takes nothing.
const closeGrace = 100 * time.Millisecond

// Conn is an encrypted connection to an authenticated peer. It is a net.Conn:
// its methods may be called at the same time, deadlines can be moved, and an
// expired one does no harm.
type Conn struct {
	conn        net.Conn
	local, peer keys.PublicKey
	welcome     []byte
	result      *noise.Result
	closed      atomic.Bool
	in          reader
	out         writer
}

var _ net.Conn = (*Conn)(nil)

// PeerKey returns the key that the other side has proven to hold.
func (c *Conn) PeerKey() keys.PublicKey { return c.peer }

// LocalKey returns the own public key.
func (c *Conn) LocalKey() keys.PublicKey { return c.local }

// Welcome returns what the responder welcomed the initiator with, the same on
// both sides. It must not be changed.
func (c *Conn) Welcome() []byte { return c.welcome }

// HandshakeHash returns 32 bytes that are the same on both sides and differ
// for every handshake. They are public: good to bind something to this
// connection, not as a secret.
func (c *Conn) HandshakeHash() []byte { return append([]byte{}, c.result.Hash[:]...) }

// Export derives n secret bytes, at most 8160, that only the two sides can
// know. Each label gives its own.
func (c *Conn) Export(label string, n int) ([]byte, error) { return c.result.Export(label, n) }

// Read reads from the stream. After the authenticated end it returns io.EOF.
// An error that wraps os.ErrDeadlineExceeded is passing: no byte is lost, and
// Read goes on after SetReadDeadline. All other errors are final, among them
// ErrTampered, ErrProtocol and *TruncatedError.
func (c *Conn) Read(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.in.read(p)
	return n, c.closedError(err)
}

// ReadRecord returns the content of the next record, or what Read has left of
// one: 1 to MaxContent bytes, without a copy. They are valid until the next
// call of Read or ReadRecord, and the caller may change them. It is for one
// reader at a time. Errors are those of Read.
func (c *Conn) ReadRecord() ([]byte, error) {
	if c.closed.Load() {
		return nil, net.ErrClosed
	}
	b, err := c.in.record(true)
	return b, c.closedError(err)
}

// Write writes to the stream, one record and one write below for up to
// MaxContent bytes. It keeps nothing of p.
//
// When the write deadline expires in the middle of a record, the rest of that
// record is kept and written before the next: n counts it as written, so that
// going on with p[n:] repeats and loses nothing. Any other error from below,
// or a short write, ends this direction for good.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	for len(p) > 0 {
		chunk := p[:min(len(p), MaxContent)]
		taken, err := c.out.record(recordData, chunk)
		if taken {
			n += len(chunk)
		}
		if err != nil {
			return n, c.closedError(err)
		}
		p = p[len(chunk):]
	}
	return n, nil
}

// RecordRoom returns HeadRoom and TailRoom.
func (c *Conn) RecordRoom() (before, after int) { return HeadRoom, TailRoom }

// WriteRecord writes one record without copying its content: b is HeadRoom
// bytes of scratch, then 1 to MaxContent bytes of content, and has TailRoom
// bytes of capacity beyond its length. All of it is overwritten with what goes
// over the wire. Otherwise it is like Write; n does not count HeadRoom.
func (c *Conn) WriteRecord(b []byte) (n int, err error) {
	if cap(b)-len(b) < TailRoom {
		return 0, errRecord
	}
	n, _, err = c.writeRecord(b, b, false)
	return n, err
}

// WriteRecordFrom is WriteRecord for a caller who needs the content afterwards:
// it leaves it as it is and needs no TailRoom, HeadRoom is scratch all the same.
// It costs 72 KiB of memory from a pool until it returns, and no copy.
func (c *Conn) WriteRecordFrom(b []byte) (n int, err error) {
	buf := getBuffer()
	defer putBuffer(buf)
	n, _, err = c.writeRecord(buf[:], b, false)
	return n, err
}

var errRecord = errors.New("secure: a record needs content of 1 to MaxContent bytes, HeadRoom and TailRoom")

// writeRecord seals b into dst, which is b or does not overlap it, and writes it. rest says that a
// part of it is still to be written: only if it is not to wait, or with an error.
func (c *Conn) writeRecord(dst, b []byte, noWait bool) (n int, rest bool, err error) {
	n = len(b) - HeadRoom
	if n < 1 || n > MaxContent {
		return 0, false, errRecord
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.closed.Load() {
		return 0, false, net.ErrClosed
	}
	if err := c.out.ready(); err != nil {
		return 0, false, c.closedError(err)
	}
	var taken bool
	if rekeyDue(c.out.keys) { // one in 65536: a copy does not matter
		taken, err = c.out.sealed(recordData, b[HeadRoom:], noWait)
	} else if b, err = sealTo(dst, c.out.keys, recordData, b); err == nil {
		taken, err = c.out.send(b, noWait)
	} else {
		c.out.err = err
	}
	if !taken {
		n = 0
	}
	return n, len(c.out.tail) > 0, c.closedError(err)
}

// CloseWrite sends the end of the stream; the other direction goes on. It
// blocks until that is written or the write deadline expires; then it can be
// called again. Writes after it return ErrWriteClosed.
func (c *Conn) CloseWrite() error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.closedError(c.out.end())
}

// Close sends the end of the stream, for which it takes at most 100 ms, and
// closes the connection. Calls that block return net.ErrClosed. What the other
// side has not read by then it may still read; who must know that it has
// needs an answer from it.
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	// Closing is what surely ends a write that blocks: a deadline could be
	// moved by someone else.
	c.conn.SetWriteDeadline(time.Time{})
	timer := time.AfterFunc(closeGrace, func() { c.conn.Close() })
	c.out.mu.Lock()
	c.out.end()
	c.out.mu.Unlock()
	if !timer.Stop() {
		c.conn.Close()
		return nil
	}
	return c.conn.Close()
}

// CloseNow closes the connection as it is. The other side sees it truncated.
func (c *Conn) CloseNow() error {
	if !c.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	return c.conn.Close()
}

// closedError makes all errors that our own closing caused the same.
func (c *Conn) closedError(err error) error {
	if err != nil && c.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// LocalAddr returns the underlying connection's.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the underlying connection's.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.out.setDeadline(t)
	return c.conn.SetDeadline(t)
}

// SetReadDeadline sets when a Read gives up; zero means never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline sets when a Write gives up; zero means never.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(t)
	return c.conn.SetWriteDeadline(t)
}
