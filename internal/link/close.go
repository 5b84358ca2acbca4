package link

import (
	"errors"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// Close ends the link: what was queued is written, then the totals that the other side has not heard of, then
// CLOSE. It waits until the other side has answered or wire.CloseTimeout has passed, not for handlers. The error tells
// if something that was queued could not be written.
func (l *Link) Close(code channel.Code, text string) error {
	l.mu.Lock()
	if l.state == stateOpen {
		l.beginClose(channel.ErrClosed, wire.Reason{Code: uint16(code), Text: text})
	}
	l.mu.Unlock()
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.err, channel.ErrClosed) {
		return nil
	}
	return l.err
}

// Cut ends the link at once, without a word to the other side.
func (l *Link) Cut(err error) {
	l.lost(err)
	<-l.done
}

// errCloseTimeout ends a close that the other side does not answer.
var errCloseTimeout = errors.New("the other side did not take what was to be sent before the close")

// beginClose stops everything but the writing of what is due. Call it with mu held.
func (l *Link) beginClose(err error, r wire.Reason) {
	l.state, l.err, l.closing = stateClosing, err, r
	l.deaf.Store(true)
	l.deadline = time.AfterFunc(wire.CloseTimeout, func() { l.lost(errCloseTimeout) })
	l.wakeAll()
	l.kick()
}

// wakeAll wakes everybody who waits for something that a link that is not open will not give. Call it with mu held.
func (l *Link) wakeAll() {
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
	if l.receivers != nil {
		close(l.receivers)
		l.receivers = nil
	}
	l.cancel(l.err)
}

// appendClose appends the pending totals and CLOSE. last is false if they do not all fit into this batch. Call it with mu held.
func (l *Link) appendClose(b []byte) (batch []byte, last bool) {
	for _, ch := range l.in {
		if ch.refused || ch.taken.Load() == ch.told {
			continue
		}
		if len(b)+maxControl > maxBatch {
			return b, false
		}
		b = ch.appendCredit(b)
	}
	return wire.AppendReason(b, wire.TypeClose, 0, l.closing), true
}

// said ends our direction of the connection after CLOSE.
func (l *Link) said() {
	if c, ok := l.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // the other side will see a truncation; it has our CLOSE all the same
	}
	l.mu.Lock()
	closed := l.remoteClosed
	l.mu.Unlock()
	if closed {
		// Both have said CLOSE. The other side may keep its direction open as long as it likes; we do not wait for it.
		l.conn.Close()
	}
}

// onClose takes the other side's CLOSE: nothing that it sent after is of interest, and nothing that we have queued is of interest to it.
func (l *Link) onClose(p []byte) error {
	r, err := wire.ParseReason(wire.TypeClose, p)
	if err != nil {
		return err
	}
	l.rd.closed = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remoteClosed = true
	switch l.state {
	case stateOpen:
		l.beginClose(&channel.CloseError{Code: channel.Code(r.Code), Text: r.Text}, wire.Reason{})
		l.dropQueued()
	case stateClosing:
		if l.sched.queued > 0 {
			// Both closed at once, and ours could not be delivered: that is theirs to explain.
			l.err = &channel.CloseError{Code: channel.Code(r.Code), Text: r.Text}
		}
		l.dropQueued()
	case stateSaid:
		l.conn.Close()
	}
	l.kick()
	return nil
}

// dropQueued drops what waits to be written. Call it with mu held.
func (l *Link) dropQueued() {
	l.sched.dropAll()
	l.cancels, l.grants = nil, nil
	l.pings.due = false
}

// breach tells the other side what it did wrong, and ends the link.
func (l *Link) breach(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == stateOpen {
		l.beginClose(lostError(err), wire.Reason{Code: wire.CodeProtocol, Text: err.Error()})
		l.dropQueued()
		l.kick()
	}
}

// drainAfterBreach reads and drops what still comes, so that the reason is not lost to a connection reset.
func (l *Link) drainAfterBreach(cause error) error {
	var buf [idleBuffer]byte
	for {
		if _, err := l.conn.Read(buf[:]); err != nil {
			return cause
		}
	}
}

// lost ends the link after the connection has failed.
func (l *Link) lost(err error) {
	l.mu.Lock()
	if l.err == nil || (l.state == stateClosing && l.err == channel.ErrClosed) {
		l.err = lostError(err) // also a Close of ours that could not say what it had to
	}
	l.state = stateDead
	l.wakeAll()
	l.mu.Unlock()
	l.conn.Close()
}

// teardown ends everything that hangs on the link, when its reader has stopped.
func (l *Link) teardown(err error) {
	l.conn.Close()
	l.mu.Lock()
	if l.err == nil {
		l.err = lostError(err)
	} else if l.state == stateClosing && l.err == channel.ErrClosed {
		l.err = lostError(err)
	}
	_, byPeer := l.err.(*channel.CloseError)
	l.state = stateDead
	if l.deadline != nil {
		l.deadline.Stop()
	}
	l.wakeAll()
	l.sched.dropAll()
	requests, streams := l.requests, l.streams
	l.requests, l.streams = nil, nil
	for _, ch := range l.outByID {
		ch.wake()
	}
	cause := l.err
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
