package stranger

import (
	"io"
	"slices"
)

// handleStream takes the frames 10 to 16.
func (l *Link) handleStream(f *frame) error {
	l.mu.Lock()
	if l.closeGot {
		l.mu.Unlock()
		return protocolError("a frame after CLOSE")
	}
	if f.kind == frameOpen {
		defer l.mu.Unlock()
		return l.handleOpen(f)
	}
	s := l.streams[f.id]
	if s == nil {
		defer l.mu.Unlock()
		opened := f.id < l.nextPeers
		if f.id%2 == l.nextStream%2 {
			opened = f.id < l.nextStream
		}
		if opened && (f.kind == frameStop || f.kind == frameWindow) {
			return nil
		}
		return protocolError("a stream that is not open")
	}
	other := s.relay
	if err := s.apply(f); err != nil {
		l.mu.Unlock()
		return err
	}
	l.mu.Unlock()
	if other != nil {
		other.pass(f)
	}
	return nil
}

func (l *Link) handleOpen(f *frame) error {
	if f.id != l.nextPeers {
		return protocolError("OPEN out of order")
	}
	l.nextPeers += 2
	s := l.addStream(f, false)
	switch {
	case f.pipe != nil && l.cfg.inPipe:
		return protocolError("a pipe in a pipe")
	case f.pipe != nil && l.cfg.OnPipe != nil:
		s.link.mu.Unlock()
		l.cfg.OnPipe(s)
		s.link.mu.Lock()
	case f.pipe != nil:
		s.giveUp(codeRefused)
	case !slices.Contains(l.cfg.Listen, f.name):
		s.giveUp(codeNoListener)
	default:
		s.accept()
		l.accepts = append(l.accepts, s)
	}
	return nil
}

// apply changes the state of a stream by a frame that came for it.
func (s *Stream) apply(f *frame) error {
	defer s.link.cond.Broadcast()
	switch f.kind {
	case frameAccept:
		if !s.mine || s.accepted || s.inEnded {
			return protocolError("ACCEPT where it does not belong")
		}
		s.accepted = true
	case frameData:
		s.received += uint64(len(f.body))
		if s.inEnded || s.received > s.inAllowed {
			return protocolError("DATA after the end, or without credit")
		}
		if !s.stopSent && s.relay == nil {
			s.buf = append(s.buf, f.body...)
		}
	case frameEnd, frameReset:
		if s.inEnded {
			return protocolError("a direction ended twice")
		}
		s.inEnded, s.inErr = true, io.EOF
		if f.kind == frameReset {
			s.inErr, s.buf = &Error{Code: f.code, Text: f.text, Remote: true}, nil
		}
		s.forget()
	case frameStop:
		s.outErr = &Error{Code: f.code, Text: f.text, Remote: true}
		if s.relay == nil {
			s.reset(f.code)
			s.forget()
		}
	case frameWindow:
		if f.number < s.outAllowed {
			return protocolError("WINDOW goes back")
		}
		s.outAllowed = f.number
	}
	return nil
}

// pass sends a frame on that came for the other half of a relayed pipe.
func (s *Stream) pass(f *frame) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	ended := s.outEnded
	switch f.kind {
	case frameStop:
		ended = s.inEnded || s.stopSent
		s.stopSent = true
	case frameWindow:
		ended = s.inEnded || s.stopSent
		s.inAllowed = max(s.inAllowed, f.number)
	}
	if s.relay == nil || ended {
		return
	}
	if f.kind == frameEnd || f.kind == frameReset {
		s.outEnded = true
	}
	on := *f
	on.id = s.id
	s.link.enqueue(&on)
	s.forget()
}
