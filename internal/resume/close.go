package resume

import (
	"errors"
	"net"
	"time"
)

// closeGrace is how long Close tries to hand over what is kept.
const closeGrace = 100 * time.Millisecond

// lose gives the connection up. The Conn waits for another, if it can go on. Call it with mu
// held, which is given up meanwhile.
func (c *Conn) lose(err error) {
	lower := c.lower
	if lower == nil {
		return
	}
	switch {
	case c.err != nil: // being closed
		c.drop()
	case c.in.broken != nil:
		c.finish(c.in.broken)
	default:
		c.drop()
		if c.cfg.Lost != nil {
			go c.cfg.Lost(err) // the session's owner's
		}
	}
	c.mu.Unlock()
	_ = lower.CloseNow() // nobody is left who could act on an error
	c.mu.Lock()
}

// errOld is why a connection is lost that DropOld gives up.
var errOld = errors.New("the connection is to be renewed")

// DropOld gives the present connection up, as if it had been lost, if it is at least so old or has
// carried at least so many bytes of content, as Traffic counts them. It reports whether it has. It
// waits for nothing.
func (c *Conn) DropOld(age time.Duration, bytes uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lower == nil || c.err != nil || time.Since(c.since) < age && c.traffic < bytes {
		return false
	}
	c.lose(errOld)
	return true
}

// drop makes the Conn one without a connection. Call it with mu held.
func (c *Conn) drop() {
	c.lower, c.nowait = nil, nil
	c.gen++
	c.since = time.Now()
	c.pings.restart()
	c.timer.Stop()
	c.changed.Ring()
}

// finish ends the Conn. Call it with mu held.
func (c *Conn) finish(err error) {
	if c.err == nil {
		c.err = err
	}
	c.drop()
	c.handover = nil
	c.out.kept.release(c.out.kept.end)
}

// Announce tells the other side that the session will end, and that it should come back in d,
// which is cut to milliseconds. It is said again on a later connection, with what is left of d.
func (c *Conn) Announce(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.retryAt, c.out.retryDue = time.Now().Add(max(0, d)), true
	c.start()
}

// Fail ends the Conn for good: calls return err, net.ErrClosed if it is nil, and the connection
// is closed as it is. It waits for nothing. A Conn that has ended stays as it is.
func (c *Conn) Fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if err == nil {
		err = net.ErrClosed
	}
	lower := c.lower
	c.finish(err)
	c.mu.Unlock()
	if lower != nil {
		_ = lower.CloseNow() // as in lose
	}
}

// Close ends the Conn for good, and both streams. It takes at most 100 ms to write what is kept
// and was not written yet, and as long for the end of the stream; what the other side has not
// read by then may be lost, and without a connection all of it is. Calls that wait return
// net.ErrClosed, and so does Close of a Conn that has ended.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.err = net.ErrClosed
	c.changed.Ring()
	c.start()
	unwritten := func() bool { return c.out.backlog() || c.out.busy }
	for until := time.Now().Add(closeGrace); c.lower != nil && c.out.failed == nil && unwritten() && !passed(until); {
		c.wait(until)
	}
	lower, whole, ended := c.lower, !unwritten(), c.out.ended && c.out.failed == nil
	c.finish(net.ErrClosed)
	c.mu.Unlock()
	switch {
	case lower == nil:
		return nil
	case whole && !ended:
		return lower.Close()
	}
	// The end is written, or it would say that what is missing was never sent.
	return lower.CloseNow()
}
