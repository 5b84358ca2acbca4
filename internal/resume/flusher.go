package resume

import (
	"runtime"
	"sync"
	"time"

	"github.com/pysock/pysock/internal/wire"
)

// flushRoom is for what a connection needs around a record.
const flushRoom = 128

var flushBuffers = sync.Pool{New: func() any { b := make([]byte, wire.MaxRecord+flushRoom); return &b }}

// due reports whether there is something to write that no call will write by itself. Call it with
// mu held.
func (c *Conn) due() bool {
	return c.free() && (c.sendable() || c.out.closed && !c.out.backlog() || c.fieldsDue())
}

// start sees to it that what is due gets written. Who is at it looks again before it stops. Call
// it with mu held; it does not wait.
func (c *Conn) start() {
	c.pingForWindow()
	if !c.out.running && c.due() {
		c.out.running = true
		go c.run() // stops when nothing is due, at the latest when the connection is closed
	}
}

// flush writes what is due.
func (c *Conn) flush() {
	c.mu.Lock()
	if !c.out.backlog() {
		// What the stream's reader does next often sends a record, which can take all this along.
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	var buf *[]byte
	for c.due() {
		if !c.out.backlog() && !c.fieldsDue() {
			c.out.ended = true
			c.write(Lower.CloseWrite)
			continue
		}
		if buf == nil {
			buf = flushBuffers.Get().(*[]byte)
			defer flushBuffers.Put(buf)
		}
		b := c.record(*buf)
		c.write(func(to Lower) error { return second(to.WriteRecord(b)) })
		c.pingForWindow()
	}
	c.out.running = false
}

// fieldsDue reports whether a record without bytes of the stream is due. Call it with mu held.
func (c *Conn) fieldsDue() bool {
	return c.pings.due || c.pings.answerDue || c.out.retryDue || c.ackDue()
}

// record makes the next record, with as much of the backlog as may go into one, and returns it with
// the room before it. Call it with mu held.
func (c *Conn) record(buf []byte) []byte {
	h := c.compose(MaxContent - 1)
	head := h.append(buf[c.under:c.under])
	content := buf[c.under+len(head) : c.under+min(MaxContent, len(head)+max(0, c.room()))]
	n := c.out.kept.copy(content, c.out.handed)
	c.sent(&h, n)
	return buf[:c.under+len(head)+n]
}

// sent accounts a record with n bytes of the stream that is about to be written. Call it with mu
// held.
func (c *Conn) sent(h *header, n int) {
	c.out.advance(n)
	c.traffic += uint64(h.size() + n)
	if h.has(flagPing) {
		c.pings.at = c.out.handed
	}
}

// compose takes what is due into a header, as much as fits into room bytes besides the flags, and
// an acknowledgement if there is any news. Call it with mu held.
func (c *Conn) compose(room int) (h header) {
	fits := func(flag byte, size int) bool {
		if room < size {
			return false
		}
		room -= size
		h.flags |= flag
		return true
	}
	if p := c.position(); p > c.in.told && fits(flagAck, 8) {
		h.ack, c.in.told, c.in.soon = p, p, false
	}
	if c.pings.answerDue && fits(flagPong, 4) {
		h.pong, c.pings.answerDue = c.pings.answer, false
	}
	if (c.pings.due || c.pings.along) && fits(flagPing, 4) {
		h.ping = c.pings.sending(time.Now())
	}
	if c.out.retryDue && fits(flagRetry, 4) {
		left := max(0, time.Until(c.out.retryAt).Milliseconds())
		h.retry, c.out.retryDue = uint32(min(left, 1<<32-1)), false
	}
	return h
}
