package link

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wakeup"
	"github.com/pysock/pysock/internal/wire"
)

// A Stream is one byte stream of a link, as a net.Conn. Its two directions end on their own:
// CloseWrite ends this side's, Close both.
type Stream struct {
	link *Link
	id   uint32
	name string

	writeMu       sync.Mutex // one Write at a time
	writeDeadline deadline
	readDeadline  deadline

	// Guarded by link.mu.
	notices
	stopped  bool // STOP was told or is to be
	lane     lane
	sent     uint64
	allowed  uint64
	writeErr error // why nothing more can be written
	sendDone bool  // our direction has ended: END is queued, or RESET due
	recvDone bool  // the other direction has ended
	writable wakeup.Bell
	answered chan struct{} // closed when the other side has accepted or rejected; of streams that we opened
	openErr  error
	accepted bool

	recvAllowed atomic.Uint64 // what we have allowed the other side

	// Owned by the reader.
	received uint64
	ended    bool // END or RESET has come

	// Guarded by readMu.
	readMu   sync.Mutex
	data     dataQueue
	consumed uint64
	window   uint64
	readErr  error // what Read returns when data is empty
	readable wakeup.Bell
}

func newStream(l *Link, id uint32) *Stream {
	s := &Stream{link: l, id: id, allowed: streamAllowance, window: streamAllowance, answered: make(chan struct{})}
	s.recvAllowed.Store(streamAllowance)
	s.lane.owner = s
	return s
}

// appendControl tells what is due.
func (s *Stream) appendControl(b []byte) []byte {
	b = s.notices.append(b, s.id, s.recvDone, s.recvAllowed.Load())
	s.finish()
	return b
}

// tell puts the stream on the list of those that have something to tell. Call it with link.mu held.
func (s *Stream) tell() {
	if !s.due && s.link.state == stateOpen {
		s.due = true
		s.link.control(s)
	}
	s.link.startWriter()
}

// awaitAccept waits for the other side's answer to OPEN.
func (s *Stream) awaitAccept(ctx context.Context) error {
	select {
	case <-s.answered:
		s.link.mu.Lock()
		defer s.link.mu.Unlock()
		return s.openErr
	case <-ctx.Done():
		s.CloseWithReason(channel.CodeCanceled, "")
		return context.Cause(ctx)
	case <-s.link.ctx.Done():
		s.link.mu.Lock()
		defer s.link.mu.Unlock()
		return s.link.gone()
	}
}

// settleOpen notes the answer to OPEN. Call it with link.mu held.
func (s *Stream) settleOpen(err error) {
	if !s.accepted {
		s.accepted = true
		s.openErr = err
		close(s.answered)
	}
}

// Accept tells the side that opened the stream that it was taken.
func (s *Stream) Accept() {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if !s.sendDone {
		s.acceptDue = true
		s.tell()
	}
}

// Reject tells the side that opened the stream that it was not taken.
func (s *Stream) Reject(code channel.Code, text string) { s.CloseWithReason(code, text) }

// CloseWrite ends this side's direction; the other goes on.
func (s *Stream) CloseWrite() error {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.endWrite(channel.ErrClosed)
	return nil
}

// endWrite queues END behind what was written. Call it with link.mu held.
func (s *Stream) endWrite(err error) {
	if s.writeErr == nil {
		s.writeErr = err
	}
	s.writable.Ring()
	if s.sendDone {
		return
	}
	s.sendDone = true
	if s.link.state == stateOpen {
		var b [wire.HeaderSize]byte
		s.link.sched.push(&s.lane, wire.AppendEmpty(b[:0], wire.TypeEnd, s.id), nil)
		s.link.startWriter()
	}
	s.finish()
}

// Close ends both directions. What was written before still arrives; what was not read is dropped.
func (s *Stream) Close() error {
	s.stopReading(channel.ErrClosed)
	s.stopDeadlines()
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.endWrite(channel.ErrClosed)
	s.tellStop(wire.Reason{})
	return nil
}

// CloseWithReason gives the stream up: what was written and is still queued is dropped, and the
// other side sees the reason.
func (s *Stream) CloseWithReason(code channel.Code, text string) {
	s.stopReading(channel.ErrClosed)
	s.stopDeadlines()
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	r := wire.Reason{Code: uint16(code), Text: text}
	s.abandonWrite(r, channel.ErrClosed)
	s.tellStop(r)
}

// abandonWrite ends our direction with RESET. Call it with link.mu held.
func (s *Stream) abandonWrite(r wire.Reason, err error) {
	if s.writeErr == nil {
		s.writeErr = err
	}
	s.writable.Ring()
	if s.sendDone && s.lane.q.size == 0 {
		return // END or RESET has gone, or is as good as gone
	}
	s.sendDone = true
	s.acceptDue = false
	s.link.sched.drop(&s.lane)
	s.reset = &r
	s.tell()
	s.finish()
}

// tellStop asks the other side to end its direction. Call it with link.mu held.
func (s *Stream) tellStop(r wire.Reason) {
	if s.stopped || s.recvDone {
		return
	}
	s.stopped = true
	s.stop = &r
	s.tell()
}

// finish forgets the stream when both directions have ended and the other side has been written all
// about it: what is still to be written takes memory, and counts as an unfinished stream until
// then. Call it with link.mu held.
func (s *Stream) finish() {
	if s.sendDone && s.recvDone && !s.due && s.lane.q.size == 0 {
		s.link.forget(s.id)
	}
}

func (s *Stream) stopDeadlines() {
	s.readDeadline.stop()
	s.writeDeadline.stop()
}

// Name is the name that the stream was opened with.
func (s *Stream) Name() string { return s.name }

// Peer is who is at the other end.
func (s *Stream) Peer() channel.Peer { return *s.link.peer.Load() }

// Link is the link that the stream is of.
func (s *Stream) Link() *Link { return s.link }

// LocalAddr names the stream.
func (s *Stream) LocalAddr() net.Addr { return Addr{Stream: s.name} }

// RemoteAddr names the peer and the stream.
func (s *Stream) RemoteAddr() net.Addr { return Addr{Peer: s.link.peerName(), Stream: s.name} }

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error {
	s.readDeadline.set(t)
	s.writeDeadline.set(t)
	return nil
}

// SetReadDeadline ends waiting Reads at t; the zero time means never.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.readDeadline.set(t)
	return nil
}

// SetWriteDeadline ends waiting Writes at t; the zero time means never. A Write that times out may have
// written a part, as it says.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.writeDeadline.set(t)
	return nil
}
