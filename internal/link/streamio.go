package link

import (
	"io"
	"os"

	"github.com/pysock/pysock/internal/wire"
)

// maxPush is how much of a Write is copied before the lock is let go for others.
const maxPush = 4 * wire.MaxPayload

// Write queues p for the other side, and waits while its credit is used up or too much is queued. It does not keep p.
func (s *Stream) Write(p []byte) (n int, err error) {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	l := s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case s.writeErr != nil:
			return n, s.writeErr
		case s.writeDeadline.passed():
			return n, os.ErrDeadlineExceeded
		case l.state != stateOpen:
			return n, l.gone()
		case len(p) == n:
			return n, nil
		}
		room := min(len(p)-n, int(min(s.allowed-s.sent, maxPush)))
		if room == 0 || l.sched.full(&s.lane, room) {
			s.awaitWritable()
			continue
		}
		s.push(p[n : n+room])
		n += room
		l.startWriter()
	}
}

// push queues DATA frames. Call it with link.mu held.
func (s *Stream) push(p []byte) {
	s.sent += uint64(len(p))
	pushData(s.link, &s.lane, s.id, p)
}

// pushData queues p as DATA frames, the last of those that wait filled up first: many small pieces
// take no more memory than a large one. Call it with l.mu held.
func pushData(l *Link, f *lane, id uint32, p []byte) {
	var head [wire.HeaderSize]byte
	if n := f.q.extend(p); n > 0 {
		l.sched.count(f, n)
		p = p[n:]
	}
	for len(p) > 0 {
		n := min(len(p), wire.MaxPayload)
		h := wire.Header{Type: wire.TypeData, Len: n, ID: id}
		l.sched.push(f, h.Append(head[:0]), p[:n])
		p = p[n:]
	}
}

// awaitWritable waits for credit, room, the deadline or an end. Call it with link.mu held; it lets
// go of it while it waits.
func (s *Stream) awaitWritable() {
	l := s.link
	var room <-chan struct{}
	if s.allowed > s.sent {
		room = l.room.Wait()
	}
	writable, expired := s.writable.Wait(), s.writeDeadline.expired()
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-writable:
	case <-room:
	case <-expired:
	case <-l.ctx.Done():
	}
}

// Read reads what has come, and waits if nothing has. At the end of the other side's direction it returns io.EOF.
func (s *Stream) Read(p []byte) (int, error) {
	s.readMu.Lock()
	for {
		if s.readDeadline.passed() {
			s.readMu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		if s.data.size > 0 && len(p) > 0 {
			n := s.data.read(p)
			s.consumed += uint64(n)
			due := s.openWindow()
			s.readMu.Unlock()
			if due {
				s.tellWindow()
			}
			return n, nil
		}
		if s.readErr != nil {
			defer s.readMu.Unlock()
			return 0, s.readErr
		}
		if len(p) == 0 {
			s.readMu.Unlock()
			return 0, nil
		}
		readable, expired := s.readable.Wait(), s.readDeadline.expired()
		s.readMu.Unlock()
		select {
		case <-readable:
		case <-expired:
		}
		s.readMu.Lock()
	}
}

// openWindow lets the other side go on when half of its window has been read, with a larger window
// each time until it has its full size. It reports whether there is something to tell. Call it with
// readMu held.
func (s *Stream) openWindow() bool {
	allowed := s.recvAllowed.Load()
	if s.readErr != nil || s.consumed+s.window-allowed < s.window/2 {
		return false
	}
	s.window = min(2*s.window, max(uint64(s.link.cfg.StreamWindow), streamAllowance))
	s.recvAllowed.Store(max(allowed, s.consumed+s.window))
	return true
}

func (s *Stream) tellWindow() {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if s.recvDone || s.stopped {
		return
	}
	s.windowDue = true
	s.tell()
}

func (s *Stream) onData(p []byte) error {
	if s.ended {
		return errData
	}
	s.readMu.Lock()
	defer s.readMu.Unlock()
	s.received += uint64(len(p))
	if s.received > s.recvAllowed.Load() {
		return errWindow
	}
	if s.readErr != nil {
		return nil // closed here; the other side will hear of it
	}
	s.data.write(p)
	s.readable.Ring()
	return nil
}

// endReading lets Read return err when what has come was read.
func (s *Stream) endReading(err error) {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	if s.readErr == nil {
		s.readErr = err
	}
	s.readable.Ring()
}

// stopReading drops what has come and lets Read return err.
func (s *Stream) stopReading(err error) {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	if s.readErr == nil || s.readErr == io.EOF {
		s.readErr = err
	}
	s.data.clear()
	s.readable.Ring()
}
