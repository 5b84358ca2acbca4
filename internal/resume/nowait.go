package resume

import "time"

// A nonblocking connection can be written and read without waiting: *secure.Conn over a socket, whose
// documentation says what the methods do.
type nonblocking interface {
	Lower
	CanTry() bool
	TryWriteRecord(b []byte) (rest bool, err error)
	TryWriteRecordFrom(b []byte) (rest bool, err error)
	TryReadRecord() ([]byte, error)
	Flush() error
}

// CanTry reports whether TryWriteLent can do anything over the present connection.
func (c *Conn) CanTry() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowait != nil
}

// TryWriteLent is WriteLent that does not wait. ok is false if it would have to: then nothing has
// happened, and the buffer is still the caller's. rest says that a part of what was taken is left
// for Flush, which must be called.
func (c *Conn) TryWriteLent(b *[]byte, n int) (ok, rest bool, err error) {
	size, err := c.size(n, len(*b))
	if err != nil {
		return false, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nowait == nil || c.out.rest || !c.direct(size) || c.out.closed || c.err != nil || passed(c.writeBy) ||
		!c.out.kept.fits(size, c.cfg.Buffer) {
		return false, false, nil
	}
	s := c.keep((*b)[:n], b)
	lower, gen := c.nowait, c.gen
	c.writeDirect((*b)[:n], s, func(_ Lower, b []byte, keep bool) (err error) {
		if keep {
			rest, err = lower.TryWriteRecordFrom(b)
		} else {
			rest, err = lower.TryWriteRecord(b)
		}
		return err
	})
	if gen == c.gen {
		c.out.rest = rest
	}
	c.start()
	if s == nil {
		c.TakeBack(b)
	}
	return true, c.out.rest, nil
}

// Flush writes what TryWriteLent has left, and waits until it is written or the connection is lost,
// which is no error. Errors are those of Close and Fail.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && c.out.rest && c.nowait != nil && c.out.failed == nil {
		if c.out.busy {
			c.wait(time.Time{})
			continue
		}
		lower := c.nowait
		c.write(func(Lower) error { return lower.Flush() })
		c.start()
	}
	return c.err
}

// TryReadRecord is ReadRecord that does not wait: it returns nothing, and no error, if nothing more
// of the stream has been read from the connection, or ReadRecord has something else to say.
func (c *Conn) TryReadRecord() ([]byte, error) {
	c.reader.Lock()
	defer c.reader.Unlock()
	if b := c.takePlain(); b != nil {
		return b, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		lower, gen := c.nowait, c.gen
		if lower == nil || c.err != nil || c.in.ended || c.in.broken != nil || passed(c.readBy) {
			return nil, nil
		}
		c.mu.Unlock()
		b, err := lower.TryReadRecord()
		c.mu.Lock()
		if len(b) == 0 || err != nil || c.err != nil || gen != c.gen {
			return nil, nil // ReadRecord comes to the same end, or to what another connection brings
		}
		if b, err = c.arrived(b); err != nil || len(b) > 0 {
			return b, err
		}
	}
}
