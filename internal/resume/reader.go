package resume

import (
	"errors"
	"io"
	"os"
	"time"
)

// incoming is the state of the receiving direction, guarded by Conn.mu.
type incoming struct {
	received  uint64    // bytes of the stream that have arrived, each counted once
	skip      uint64    // of these, what the present connection has yet to bring once more
	told      uint64    // the last position that was told: an ACK, a token, a welcome
	soon      bool      // acknowledge at once what there is, or the next that comes
	ended     bool      // the authenticated end has come
	broken    error     // the other side broke the protocol
	listening bool      // a reader waits for the connection
	heard     time.Time // when the last record came
	awaited   bool      // somebody waits for one
}

// ReadRecord returns the next bytes of the stream, what one record brought or what Read has left
// of it. They are valid until the next call of Read or ReadRecord and may be changed. While there
// is no connection it waits for one.
//
// After the authenticated end it returns io.EOF. A *wire.Error says that the other side broke the
// protocol: the connection is still there to tell it so, and calls after that wait for its end
// and return the same. Errors that wrap os.ErrDeadlineExceeded are passing. All others are those
// of Close (net.ErrClosed) and Fail: the loss of a connection is none.
func (c *Conn) ReadRecord() ([]byte, error) {
	c.reader.Lock()
	defer c.reader.Unlock()
	if b := c.takePlain(); b != nil {
		return b, nil
	}
	return c.next()
}

// takePlain takes what Read has left of a record, nil if it has left nothing. Who reads calls it.
func (c *Conn) takePlain() []byte {
	b := c.plain
	c.plain = nil
	if len(b) == 0 {
		return nil
	}
	return b
}

// Read reads from the stream. Errors are those of ReadRecord.
func (c *Conn) Read(p []byte) (n int, err error) {
	c.reader.Lock()
	defer c.reader.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.plain) == 0 {
		if c.plain, err = c.next(); err != nil {
			return 0, err
		}
	} else if err := c.readable(); err != nil {
		return 0, err
	}
	n = copy(p, c.plain)
	c.plain = c.plain[n:]
	return n, nil
}

// readable returns why what has been read may not be returned now.
func (c *Conn) readable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && passed(c.readBy) {
		return os.ErrDeadlineExceeded
	}
	return c.err
}

// next returns the stream's bytes of the next record that has any.
func (c *Conn) next() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		c.start() // see arrived
		if err := c.awaitConn(); err != nil {
			return nil, err
		}
		lower, gen, moves := c.lower, c.gen, c.readMoves
		c.in.listening = true
		c.mu.Unlock()
		b, err := lower.ReadRecord()
		c.mu.Lock()
		c.in.listening = false
		switch {
		case c.err != nil || gen != c.gen:
			// What a connection brings that is no longer the present one comes again.
		case err != nil:
			if err = c.readFailed(err, moves); err != nil {
				return nil, err
			}
		case c.in.broken != nil:
			c.in.heard = time.Now()
		default:
			if b, err = c.arrived(b); err != nil || len(b) > 0 {
				return b, err
			}
		}
	}
}

// awaitConn waits for a connection. Call it with mu held.
func (c *Conn) awaitConn() error {
	for {
		switch {
		case c.err != nil:
			return c.err
		case c.in.ended && c.in.broken != nil:
			return c.in.broken
		case c.in.ended:
			return io.EOF
		case c.lower != nil:
			return nil
		case passed(c.readBy):
			return os.ErrDeadlineExceeded
		}
		c.wait(c.readBy)
	}
}

// readFailed tells apart what ends reading, which it returns, and what only ends the connection.
// moves is how often the deadline had been set when the read began. Call it with mu held.
func (c *Conn) readFailed(err error, moves uint64) error {
	deadline := errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case err == io.EOF && c.in.skip > 0 && c.in.broken == nil:
		c.in.broken = breach("the stream ended before what it had brought already")
		fallthrough
	case err == io.EOF:
		// No sign of life comes any more, nor is one to be expected.
		c.in.ended = true
		c.timer.Stop()
		c.changed.Ring()
		c.start()
		return nil
	case deadline && passed(c.readBy):
		return err
	case deadline && moves != c.readMoves:
		return nil // the one that has expired is no longer there
	}
	// Without a deadline that explains it the connection has failed for good, with an error that
	// only looks like one: what is below may be a stream that ended because somebody further below
	// was silent.
	c.lose(err)
	return nil
}

// arrived takes a record apart and returns what is new of the stream. Call it with mu held.
func (c *Conn) arrived(b []byte) ([]byte, error) {
	h, stream, err := parse(b)
	if err == nil {
		err = c.check(&h)
	}
	if err != nil {
		c.in.broken = err
		c.start()
		return nil, err
	}
	now := time.Now()
	c.in.heard = now
	if c.in.awaited {
		c.in.awaited = false
		c.changed.Ring()
	}
	c.traffic += uint64(len(b))
	if h.has(flagAck) {
		c.acknowledged(h.ack)
	}
	if h.has(flagPing) {
		c.pings.answer, c.pings.answerDue = h.ping, true
	}
	if h.has(flagPong) {
		if c.pings.answered(h.pong, now) {
			c.out.window.prove(c.pings.at)
		}
		c.changed.Ring() // for a write that has asked, to ask again
	}
	if c.in.skip > 0 && len(stream) > 0 {
		n := min(c.in.skip, uint64(len(stream)))
		c.in.skip -= n
		c.in.soon = true // the other side has been waiting for room
		stream = stream[n:]
	}
	c.in.received += uint64(len(stream))
	if c.pings.answerDue || c.out.backlog() {
		// An acknowledgement alone waits until the stream's reader comes back: what it does with the
		// bytes often sends a record, which takes it along.
		c.start()
	}
	if h.has(flagRetry) {
		c.mu.Unlock()
		c.cfg.Retry(time.Duration(h.retry) * time.Millisecond)
		c.mu.Lock()
	}
	return stream, nil
}

// check returns what is wrong with a header where things stand. Call it with mu held.
func (c *Conn) check(h *header) error {
	switch {
	case h.has(flagAck) && h.ack < c.out.acked:
		return breach("an acknowledgement goes back")
	case h.has(flagAck) && h.ack > c.out.reached:
		return breach("an acknowledgement goes beyond what was sent")
	case h.has(flagRetry) && c.cfg.Retry == nil:
		return breach("RETRY from a side that may not send it")
	}
	return nil
}

// position is how much may be acknowledged: not what the connection has yet to bring once more,
// and no more than a handover has told. Call it with mu held.
func (c *Conn) position() uint64 {
	p := c.in.received - c.in.skip
	if c.handover != nil {
		p = min(p, c.handover.position)
	}
	return p
}

// ackDue reports whether an acknowledgement is worth a record of its own. Call it with mu held.
func (c *Conn) ackDue() bool {
	news := c.position() - c.in.told
	return news >= ackInterval || news > 0 && (c.in.soon || c.out.closed)
}
