package resume

// firstRecord is how many bytes of the stream the first record of another connection has.
const firstRecord = 4 << 10

// window limits what is under way on a connection that has not proven itself, guarded by Conn.mu.
//
// A session that has lost one connection may lose the next as soon, and what is under way then is
// lost with it. A record that is larger than what connections carry, or more than one that are
// written at once, would be sent again for ever. So the first record is small, it is waited for,
// and what follows may be twice of what is known to have arrived.
//
// To wait is not to rely on an acknowledgement that need not come (docs/protocol.md, section
// 17.1): a PING is sent for it.
type window struct {
	base   uint64 // where the connection began
	proven uint64 // what has arrived, at least
	most   int    // what may be under way, and in one record; MaxDirect is no limit
}

// begin is for a connection that goes on from a position.
func (w *window) begin(position uint64) {
	*w = window{base: position, proven: position, most: firstRecord}
}

// prove notes that everything before a position has arrived.
func (w *window) prove(position uint64) {
	if w.most < MaxDirect {
		w.proven = max(w.proven, position)
		w.most = int(min(MaxDirect, max(firstRecord, 2*(w.proven-w.base))))
	}
}

// room is how many bytes of the stream the next record may have. Call it with mu held.
func (c *Conn) room() int {
	w := &c.out.window
	if w.most == MaxDirect || c.in.ended || c.in.broken != nil || c.err != nil {
		return w.most // in the latter cases nothing is heard any more of what arrives
	}
	return w.most - int(int64(c.out.handed-w.proven)) // proven may be ahead: see outgoing
}

// sendable reports whether there is something of the stream to write, and room for it. Call it
// with mu held.
func (c *Conn) sendable() bool { return c.out.backlog() && c.room() > 0 }

// pingForWindow asks whether the backlog may go on. Call it with mu held.
func (c *Conn) pingForWindow() {
	if c.out.backlog() && !c.pings.out && c.free() && c.room() <= 0 {
		c.pings.ask()
	}
}
