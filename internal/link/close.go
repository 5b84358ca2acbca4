package link

import (
	"errors"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// Close ends the link: what was queued is written, then the totals that the other side has not
// heard of, then CLOSE. It waits until the other side has answered and ended its direction, at most
// lastWords for that end and wire.CloseTimeout in all, and not for handlers, so that a handler may
// call it.
//
// The error tells that something that was queued could not be written, or that the other side has
// not answered and messages are not known to have been taken: a *channel.GapError then, with the
// numbers of when Close was called. It is nil if the other side has said CLOSE, or has taken all.
// Of a link that had ended already it is why, but nil if the other side had closed with CodeClosed
// and nothing was lost; of one that this side was ending, by a Kick or another Close, nil if that
// could write what it had to.
func (l *Link) Close(code channel.Code, text string) error {
	l.mu.Lock()
	begins := l.state == stateOpen
	if begins {
		l.beginClose(channel.ErrClosed, wire.Reason{Code: uint16(code), Text: text})
		l.dropArrived()
	}
	l.mu.Unlock()
	l.dropBodies()
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case orderly(l.err):
		return nil
	case !errors.Is(l.err, channel.ErrClosed):
		return l.err
	case begins && l.gap != nil && !l.remoteClosed:
		// That CLOSE was written says nothing: a connection may keep what it takes until it is back, or lead nowhere.
		g := *l.gap
		g.Err = lostError(l.unanswered)
		return &g
	}
	return nil
}

// orderly reports whether the other side has closed without a reason to tell, and with nothing
// lost: who closes after that, or at the same time, has got what it wants.
func orderly(err error) bool {
	closed, ok := err.(*channel.CloseError)
	return ok && closed.Code == channel.CodeClosed
}

// Cut ends the link at once, without a word to the other side. What it does not wait for is
// handlers; their ctx ends too.
func (l *Link) Cut(err error) {
	l.cutNow(err)
	<-l.done
	l.cancelHandlers(lostError(err))
}

// errCloseTimeout ends a close that the other side does not answer.
var errCloseTimeout = errors.New("the other side did not take what was to be sent before the close")

// beginClose stops everything but the writing of what is due. Call it with mu held.
func (l *Link) beginClose(err error, r wire.Reason) {
	l.setEnd(err)
	l.state, l.closing = stateClosing, r
	l.ignoresInput.Store(true)
	l.deadline = time.AfterFunc(wire.CloseTimeout, func() { l.cutNow(errCloseTimeout) })
	l.wakeAll()
	l.startWriter()
}

// wakeAll wakes everybody who waits for something that a link that is not open will not give. Call it with mu held.
func (l *Link) wakeAll() {
	l.room.Ring()
	l.groupRoom.Ring()
	l.wakeReceivers()
	l.cancel(l.err)
}

// appendClose appends the pending totals and CLOSE. last is false if they do not all fit into this
// batch. Call it with mu held.
func (l *Link) appendClose(b []byte) (batch []byte, last bool) {
	if l.err == channel.ErrClosed {
		// What is taken from now on could not be told any more, so nothing is.
		l.freeze()
	}
	for _, ch := range l.in {
		if ch.refused.Load() || ch.total() == ch.told {
			continue
		}
		if len(b)+maxControl > maxBatch {
			return b, false
		}
		b = ch.appendCredit(b)
	}
	if len(b)+maxControl > maxBatch {
		return b, false
	}
	return wire.AppendReason(b, wire.TypeClose, 0, l.closing), true
}

// closeWritten ends our direction of the connection after CLOSE.
func (l *Link) closeWritten() {
	if c, ok := l.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // the other side will see a truncation; it has our CLOSE all the same
	}
	l.mu.Lock()
	l.wroteClose = true
	l.closeOut.Ring()
	awaits := l.remoteClosed && !l.readAll
	l.mu.Unlock()
	if awaits {
		l.awaitEnd()
	}
}

// awaitEnd lets the reader go on to the end of the other side's direction when both have said
// CLOSE: a connection that is closed with bytes unread is reset, and that can destroy our CLOSE on
// its way. The other side may keep its direction open as long as it likes; we wait only so long.
func (l *Link) awaitEnd() {
	if l.conn.SetReadDeadline(time.Now().Add(lastWords)) != nil {
		l.conn.Close()
	}
}

// onClose takes the other side's CLOSE: nothing that it sent after is of interest, and nothing that
// we have queued is of interest to it.
func (l *Link) onClose(p []byte) error {
	r, err := wire.ParseReason(wire.TypeClose, p)
	if err != nil {
		return err
	}
	l.rd.closed = true
	l.queuePacked()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remoteClosed = true
	closed := &channel.CloseError{Code: channel.Code(r.Code), Text: r.Text}
	switch l.state {
	case stateOpen:
		l.beginClose(closed, wire.Reason{})
		l.dropQueued()
	case stateClosing:
		if l.sched.queued > 0 {
			// Both closed at once, and ours could not be delivered: that is theirs to explain.
			l.setEnd(closed)
		}
		l.dropQueued()
	}
	if l.wroteClose {
		l.awaitEnd()
	}
	l.startWriter()
	return nil
}

// dropQueued drops what waits to be written. Call it with mu held.
func (l *Link) dropQueued() {
	l.sched.dropAll()
	l.grants = nil
	l.pings.due = false
}

// dropArrived drops the messages that no handler has begun and nobody has received: of a link that
// this side ends nothing more is taken. Call it with mu held.
func (l *Link) dropArrived() {
	for _, ch := range l.in {
		ch.queue, ch.spare = nil, nil
		ch.batch.drop()
	}
	l.pulled.take()
}

// dropBodies drops what has come of messages and answers that are not whole, after the link has
// ceased to act on input. It is called without mu, and not while the reader acts on a frame of a body.
func (l *Link) dropBodies() {
	l.bodies.Lock()
	defer l.bodies.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ch := range l.in {
		ch.pack = nil
		ch.part, ch.partMsg = body{}, inMsg{}
	}
	for _, r := range l.requests {
		if r.part.open {
			r.part, r.partial = body{}, nil
		}
	}
}

// breach tells the other side what it did wrong, and ends the link.
func (l *Link) breach(err error) {
	defer l.dropBodies()
	l.mu.Lock()
	defer l.mu.Unlock()
	r := wire.Reason{Code: wire.CodeProtocol, Text: err.Error()}
	switch {
	case l.state == stateOpen:
		l.beginClose(lostError(err), r)
	case l.state == stateClosing && !l.remoteClosed:
		l.closing = r
	default:
		return
	}
	l.broken = true
	l.dropQueued()
	l.dropArrived()
	l.startWriter()
}

// discardInput reads and drops what still comes, so that what we say last is not lost to a connection reset.
func (l *Link) discardInput() {
	var buf [idleBuffer]byte
	for {
		if _, err := l.conn.Read(buf[:]); err != nil {
			return
		}
	}
}

// awaitCloseWritten keeps the reader from closing the connection while our CLOSE is due and can be written. The close's
// deadline bounds it.
func (l *Link) awaitCloseWritten() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readAll = true
	for l.writeErr == nil && !l.wroteClose &&
		(l.state == stateCloseSent || l.state == stateClosing && (l.remoteClosed || l.broken)) {
		settled := l.closeOut.Wait()
		l.mu.Unlock()
		<-settled
		l.mu.Lock()
	}
}

// lastWords is how long the other side's reason is waited for when nothing can be written any more: it often lies
// unread in our buffers.
const lastWords = time.Second

// cannotWrite ends the link after a write has failed, unless the reader finds a CLOSE that says why.
func (l *Link) cannotWrite(err error) {
	l.mu.Lock()
	l.writeErr = err
	l.closeOut.Ring()
	l.mu.Unlock()
	if l.conn.SetReadDeadline(time.Now().Add(lastWords)) != nil {
		l.conn.Close()
	}
}

// noteEnd notes err as the end of the link, if there is no other reason. It is one also for a Close of ours that
// could not write what it had to. Call it with mu held.
func (l *Link) noteEnd(err error) {
	if l.unanswered == nil {
		l.unanswered = err
	}
	if l.err == nil || l.err == channel.ErrClosed && !l.wroteClose {
		l.setEnd(lostError(err))
	}
}

// cutNow ends the link without another word.
func (l *Link) cutNow(err error) {
	l.mu.Lock()
	l.noteEnd(err)
	l.state = stateDead
	l.wakeAll()
	l.closeOut.Ring()
	l.mu.Unlock()
	l.conn.Close()
}

// teardown ends everything that hangs on the link, when its reader has stopped.
func (l *Link) teardown(err error) {
	l.mu.Lock()
	if l.writeErr != nil {
		err = l.writeErr // the first that was seen
	}
	l.noteEnd(err)
	byPeer := l.closedByPeer()
	l.state = stateDead
	l.wakeAll() // with the state: who is told of the end finds the Context done
	l.mu.Unlock()
	l.conn.Close() // only now: a write that fails because of it is no reason
	l.mu.Lock()
	if l.deadline != nil {
		l.deadline.Stop()
	}
	l.sched.dropAll()
	requests, streams := l.requests, l.streams
	l.requests, l.streams, l.remote = nil, nil, 0
	for _, ch := range l.outByID {
		ch.changed.Ring()
	}
	cause := l.end // requests and streams tell of themselves
	for _, r := range l.asked {
		r.cancel(cause)
	}
	l.mu.Unlock()

	for _, r := range requests {
		r.finish(nil, cause)
	}
	for _, e := range streams {
		e.onLost(cause)
	}
	l.endHandlers(cause, byPeer)
}
