package link

import "github.com/pysock/pysock/internal/wire"

func (e *relayEnd) onData(p []byte) error {
	switch {
	case e.ended:
		return errData
	case e.received+uint64(len(p)) > e.allowed.Load():
		return errWindow
	}
	e.received += uint64(len(p))
	e.heard()
	o := e.other
	o.link.mu.Lock()
	if !o.sendDone && o.link.state == stateOpen {
		pushData(o.link, &o.lane, o.id, p)
	}
	o.link.mu.Unlock()
	e.link.touch(o.link)
	return nil
}

// onAccept passes ACCEPT on. Only the side that did not open may accept, once; what else it says is
// not let through, because the opener would blame this link for it.
func (e *relayEnd) onAccept() error {
	if e.link.remoteStream(e.id) || e.accepted || e.ended {
		return violated("ACCEPT is not expected")
	}
	e.accepted = true
	e.heard()
	e.pass(func(o *relayEnd) { o.acceptDue = !o.sendDone })
	return nil
}

func (e *relayEnd) onEnd() error {
	if !e.receivedEnd() {
		return errData
	}
	o := e.other
	o.link.mu.Lock()
	if !o.sendDone && o.link.state == stateOpen {
		o.sendDone = true
		var b [wire.HeaderSize]byte
		o.link.sched.push(&o.lane, wire.AppendEmpty(b[:0], wire.TypeEnd, o.id), nil)
	}
	o.finish()
	o.link.mu.Unlock()
	e.link.touch(o.link)
	return nil
}

func (e *relayEnd) onReset(r wire.Reason) error {
	if !e.receivedEnd() {
		return errData
	}
	e.pass(func(o *relayEnd) { o.abandon(r) })
	return nil
}

// receivedEnd counts the end of what the far side sends; it reports false if that has ended before.
func (e *relayEnd) receivedEnd() bool {
	e.heard()
	e.link.mu.Lock()
	defer e.link.mu.Unlock()
	if e.ended || e.recvDone {
		return false
	}
	e.ended = true
	e.recvDone = true
	e.finish()
	return true
}

// onStop answers STOP with RESET at once: what waits for the far side need not wait for its credit,
// and the stream can end here also if the other end's far side never ends its direction. What still
// comes from there is dropped.
func (e *relayEnd) onStop(r wire.Reason) error {
	e.link.mu.Lock()
	if e.lane.q.size > 0 {
		e.sendDone = false // END is still in the queue, if at all: RESET takes its place
	}
	e.abandon(r)
	e.link.mu.Unlock()
	e.pass(func(o *relayEnd) { o.stop = &r })
	return nil
}

func (e *relayEnd) onWindow(allowed uint64) error {
	e.link.mu.Lock()
	if allowed < e.granted {
		e.link.mu.Unlock()
		return violated("WINDOW went back")
	}
	e.granted = allowed
	open := min(e.granted, e.popped+e.window)
	e.link.mu.Unlock()
	e.pass(func(o *relayEnd) { o.open(open) })
	return nil
}

// onLost ends the relay at the other end when this end's link has ended.
func (e *relayEnd) onLost(error) {
	e.heard()
	e.link.mu.Lock()
	e.sendDone, e.recvDone, e.due = true, true, false
	e.finish()
	e.link.mu.Unlock()
	gone := wire.Reason{Code: wire.CodeGone}
	o := e.other
	o.link.mu.Lock()
	o.abandon(gone)
	if !o.recvDone {
		o.stop = &gone
	}
	o.tell()
	o.link.startWriter()
	o.link.mu.Unlock()
}

// pass tells the other end what has happened at this one. It is called by this end's reader.
func (e *relayEnd) pass(change func(o *relayEnd)) {
	o := e.other
	o.link.mu.Lock()
	change(o)
	o.tell()
	o.link.mu.Unlock()
	e.link.touch(o.link)
}
