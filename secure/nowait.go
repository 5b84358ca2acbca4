package secure

import "net"

// CanTry reports whether TryWriteRecord and TryWriteRecordFrom can do what they say: the
// connection below is a TCP or Unix socket, and the system has writes that do not wait. Windows has
// none that are as simple.
func (c *Conn) CanTry() bool { return c.out.raw != nil }

// TryWriteRecord is WriteRecord that does not wait for the other side: what of the record the
// socket does not take at once is kept, and rest says so. The next write writes it first, and so
// does Flush, which must be called then: nothing else writes it. Where CanTry is false, while there
// is a rest, and while another call writes, TryWriteRecord waits as WriteRecord does.
func (c *Conn) TryWriteRecord(b []byte) (rest bool, err error) {
	if cap(b)-len(b) < TailRoom {
		return false, errRecord
	}
	_, rest, err = c.writeRecord(b, b, true)
	return rest, err
}

// TryWriteRecordFrom is to WriteRecordFrom what TryWriteRecord is to WriteRecord.
func (c *Conn) TryWriteRecordFrom(b []byte) (rest bool, err error) {
	buf := getBuffer()
	defer putBuffer(buf)
	_, rest, err = c.writeRecord(buf[:], b, true)
	return rest, err
}

// Flush writes what TryWriteRecord, or a Write whose deadline expired, has left of a record, and
// waits as Write does. Errors are those of Write.
func (c *Conn) Flush() error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	switch {
	case c.closed.Load():
		return net.ErrClosed
	case c.out.err != nil:
		return c.closedError(c.out.err)
	}
	return c.closedError(c.out.flush())
}

// TryReadRecord is ReadRecord that does not wait: it returns nothing, and no error, if no whole
// record of the stream has been read from the connection below. It reads nothing from there.
func (c *Conn) TryReadRecord() ([]byte, error) {
	if c.closed.Load() {
		return nil, net.ErrClosed
	}
	b, err := c.in.record(false)
	if err == errNotHere {
		return nil, nil
	}
	return b, c.closedError(err)
}
