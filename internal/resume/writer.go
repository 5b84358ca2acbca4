package resume

import (
	"errors"
	"net"
	"os"
	"time"
)

// outgoing is the state of the sending direction, guarded by Conn.mu.
//
//	acked ≤ reached ≤ kept.end    handed ≤ reached
//
// After a handover the other side may acknowledge at once what it has had from an older
// connection. It is sent again all the same (section 17.3), so that it is kept until handed over.
type outgoing struct {
	kept    kept
	acked   uint64 // the other side has it
	handed  uint64 // written to the present connection, or being written
	reached uint64 // the highest that handed ever was
	window  window // of the present connection
	busy    bool   // somebody writes to a connection; nobody else may
	rest    bool   // a part of a record is left to write, which who writes next does first
	running bool   // there is a flusher
	closed  bool   // CloseWrite was called: nothing is added
	ended   bool   // the end was written to the present connection: nothing follows on it
	failed  error  // nothing more can be written to the present connection

	retryAt  time.Time // Announce; zero for never
	retryDue bool
}

// backlog is what is kept and not handed over.
func (o *outgoing) backlog() bool { return o.handed < o.kept.end }

// release lets go what need not be sent again.
func (o *outgoing) release() { o.kept.release(min(o.acked, o.handed)) }

// advance notes that n bytes more are being written.
func (o *outgoing) advance(n int) {
	o.handed += uint64(n)
	o.reached = max(o.reached, o.handed)
	o.release()
}

// acknowledged notes an ACK that was checked. Call it with mu held.
func (c *Conn) acknowledged(position uint64) {
	if position > c.out.acked {
		c.out.acked = position
		c.out.window.prove(position)
		c.out.release()
		c.changed.Ring()
	}
}

// RecordRoom is what WriteRecord needs free before and after the content.
func (c *Conn) RecordRoom() (before, after int) { return c.before, c.after }

var errSize = errors.New("resume: WriteRecord needs content of 1 to MaxContent bytes, and the room of RecordRoom")

// WriteRecord sends content of 1 to MaxContent bytes: b is room, content, and capacity for more
// room, as RecordRoom says; all of it is overwritten. Content of up to MaxDirect bytes is written
// to the connection in place if nothing else is to be written before; a copy is kept. A connection
// that has not carried much since a handover gets it by and by, from the copy.
//
// It waits while what is kept has no room, until the write deadline, and for the connection. What
// it takes it will send: the loss of a connection is no error. Errors are those of Close, Fail
// and CloseWrite, and os.ErrDeadlineExceeded; nothing is sent then. n is the content's size.
func (c *Conn) WriteRecord(b []byte) (n int, err error) {
	if n, err = c.size(len(b), cap(b)); err != nil {
		return 0, err
	}
	if _, err = c.writeRecord(b, nil); err != nil {
		return 0, err
	}
	return n, nil
}

// size is that of the content that ends at a place in a buffer with as much room in all, if a record can be made of it.
func (c *Conn) size(end, room int) (n int, err error) {
	n = end - c.before
	if n < 1 || n > MaxContent || end+c.after > room {
		return 0, errSize
	}
	return n, nil
}

// writeRecord is WriteRecord of content that is as it should be. If it is at the start of a large
// buffer that is lent, then adopted says whether that is kept.
func (c *Conn) writeRecord(b []byte, lent *[]byte) (adopted bool, err error) {
	n := len(b) - c.before
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.awaitRoom(n); err != nil {
		return false, err
	}
	direct := c.direct(n)
	s := c.keep(b, lent)
	if direct {
		c.writeDirect(b, s, writeWaiting)
	}
	c.start()
	return s != nil, nil
}

// direct reports whether n bytes may be written to the connection by who brings them. Call it with
// mu held.
func (c *Conn) direct(n int) bool { return n <= c.room() && c.free() && !c.out.backlog() }

// keep keeps the content of b, for which there is room: where it lies, in the segment that is
// returned, if b is the start of a large buffer that is lent, or else a copy. Call it with mu held.
func (c *Conn) keep(b []byte, lent *[]byte) (s *segment) {
	if lent != nil {
		s = c.out.kept.adopt(lent, c.before, len(b)-c.before, c.cfg.Buffer)
	}
	if s == nil {
		c.out.kept.add(b[c.before:], c.cfg.Buffer)
	}
	return s
}

// writeDirect lets do write b, which lies in s if that is not nil: it must leave the content as it
// is then, which is what keep says. Call it with mu held, which is given up meanwhile.
func (c *Conn) writeDirect(b []byte, s *segment, do func(to Lower, b []byte, keep bool) error) {
	b = c.head(b)
	if s != nil {
		s.pinned = true
		defer s.unpin()
	}
	c.write(func(to Lower) error { return do(to, b, s != nil) })
}

func writeWaiting(to Lower, b []byte, keep bool) error {
	if keep {
		return second(to.WriteRecordFrom(b))
	}
	return second(to.WriteRecord(b))
}

// head puts what is due before the content of b, accounts the record, and returns it as the
// connection wants it. Call it with mu held.
func (c *Conn) head(b []byte) []byte {
	n := len(b) - c.before
	h := c.compose(MaxDirect - n)
	c.sent(&h, n)
	at := c.before - h.size()
	h.append(b[at:at])
	return b[at-c.under:]
}

func second(_ int, err error) error { return err }

// Write sends p, as soon as there is room to keep it; it is written by another goroutine. A copy
// is kept. n counts what was taken and will be sent; otherwise it is like WriteRecord.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		chunk := p[:min(len(p), writeChunk)]
		if err := c.awaitRoom(len(chunk)); err != nil {
			return n, err
		}
		c.out.kept.add(chunk, c.cfg.Buffer)
		n, p = n+len(chunk), p[len(chunk):]
		c.start()
		if len(p) == 0 {
			return n, nil
		}
	}
}

// writeChunk is small against MinBuffer, so that one chunk can be kept while another is under way.
const writeChunk = 16 << 10

// CloseWrite ends the sending direction: when everything has been handed to the connection, its
// end follows, and if the connection is lost later both go over the next. It does not wait for
// that. Writes after it, and those that wait for room, return ErrWriteClosed.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.out.closed {
		return c.err
	}
	c.out.closed = true
	c.changed.Ring()
	if c.free() && !c.out.backlog() && !c.ackDue() {
		c.out.ended = true
		c.write(Lower.CloseWrite)
	}
	c.start()
	return nil
}

// awaitRoom waits until n bytes more may be kept. Call it with mu held.
func (c *Conn) awaitRoom(n int) error {
	for {
		switch {
		case c.err != nil:
			return c.err
		case c.out.closed:
			return ErrWriteClosed
		case passed(c.writeBy):
			return os.ErrDeadlineExceeded
		case c.out.kept.fits(n, c.cfg.Buffer):
			return nil
		}
		if c.in.ended && c.lower != nil && c.out.kept.start < c.out.handed {
			// After its end the other side cannot acknowledge any more. What it was sent is let go:
			// this costs nothing but that the Conn cannot go on from before that.
			c.acknowledged(c.out.handed)
			continue
		}
		c.pingForAck()
		c.wait(c.writeBy)
	}
}

// pingForAck asks for an acknowledgement if the other side need not send one by itself. Call it with
// mu held.
func (c *Conn) pingForAck() {
	if c.free() && !c.pings.out && c.out.handed-c.out.acked < ackInterval {
		c.pings.ask()
		c.start()
	}
}

// free reports whether a write to the connection may begin. Call it with mu held.
func (c *Conn) free() bool {
	return c.lower != nil && c.out.failed == nil && !c.out.ended && !c.out.busy
}

// write lets do write to the connection, which must be free. What it writes is accounted before,
// because the other side may answer before it returns. Call it with mu held, which is given up
// meanwhile.
func (c *Conn) write(do func(Lower) error) {
	lower, gen := c.lower, c.gen
	c.out.busy = true
	c.mu.Unlock()
	err := do(lower)
	c.mu.Lock()
	c.out.busy = false
	if gen == c.gen {
		c.out.rest = false
		if err != nil && c.out.failed == nil {
			c.writeFailed(err)
		}
	}
	c.changed.Ring()
}

// lastWords is how long the reader may go on when nothing can be written any more: why the other
// side has closed often lies unread in our buffers.
const lastWords = time.Second

// writeFailed notes that the connection takes nothing more. Call it with mu held.
func (c *Conn) writeFailed(err error) {
	c.out.failed = err
	if errors.Is(err, net.ErrClosed) || c.in.ended {
		c.lose(err)
		return
	}
	c.timer.Reset(lastWords)
}
