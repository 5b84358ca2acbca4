package resume

import "errors"

// errRoom is for a connection of another kind than the first.
var errRoom = errors.New("resume: the connection needs other room around its records")

// A Handover is the attempt to go on over another connection. Between its beginning and Attach or
// Abort the old connection, if it still works, goes on, but acknowledges no more than Position.
type Handover struct {
	c        *Conn
	position uint64
}

// Handover begins to go over to another connection. A newer one supersedes older ones: only the
// newest can be attached. It must be ended with Attach or Abort.
func (c *Conn) Handover() *Handover {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handover = &Handover{c: c, position: c.in.received}
	return c.handover
}

// Holds returns ErrPosition unless the stream can be sent again from a position: what the other
// side says has arrived of it. Of a Conn that has ended it returns why.
func (c *Conn) Holds(theirs uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holds(theirs)
}

func (c *Conn) holds(theirs uint64) error {
	switch {
	case c.err != nil:
		return c.err
	case theirs < c.out.acked || theirs > c.out.reached:
		return ErrPosition
	}
	return nil
}

// Position is how many bytes of the other side's stream had arrived when the handover began, in
// all connections together: what to tell it.
func (h *Handover) Position() uint64 { return h.position }

// Attach goes on over conn, which the Conn owns from then on; theirs is the position that the
// other side has told. The old connection, if there is one, is closed as it is. Errors are
// ErrSuperseded, ErrPosition, and of a Conn that has ended why it did; conn is not touched then,
// and the handover must still be aborted.
//
// It neither reads nor writes conn and waits for nothing, so that it may be called while conn's
// welcome is being written.
func (h *Handover) Attach(conn Lower, theirs uint64) error {
	old, err := h.attach(conn, theirs)
	if old != nil {
		_ = old.CloseNow() // it was given up; what its reader and writer are at fails
	}
	return err
}

func (h *Handover) attach(conn Lower, theirs uint64) (old Lower, err error) {
	before, after := conn.RecordRoom()
	c := h.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch err := c.holds(theirs); {
	case c.err != nil:
		return nil, c.err
	case c.handover != h:
		return nil, ErrSuperseded
	case err != nil:
		return nil, err
	case before != c.under || after != c.after:
		return nil, errRoom
	}
	old = c.lower
	c.handover = nil
	c.in.skip = c.in.received - h.position
	c.in.told = h.position
	c.in.soon = true // the other side may wait for it, see window
	c.out.handed = theirs
	c.out.acked = theirs
	c.out.window.begin(theirs)
	c.out.release()
	c.out.retryDue = !c.out.retryAt.IsZero() && !passed(c.out.retryAt)
	c.use(conn)
	c.start()
	return old, nil
}

// Abort gives the handover up. After Attach, or a newer handover, it does nothing.
func (h *Handover) Abort() {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	if h.c.handover == h {
		h.c.handover = nil
		h.c.start()
	}
}
