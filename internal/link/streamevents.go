package link

import (
	"io"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

func (s *Stream) onAccept() error {
	l := s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.remoteStream(s.id) || s.accepted {
		return violated("ACCEPT is not expected")
	}
	s.settleOpen(nil)
	return nil
}

func (s *Stream) onEnd() error { return s.endRecv(io.EOF, nil) }

func (s *Stream) onReset(r wire.Reason) error {
	return s.endRecv(&channel.CloseError{Code: channel.Code(r.Code), Text: r.Text}, &r)
}

// endRecv takes the end of the other side's direction.
func (s *Stream) endRecv(err error, reset *wire.Reason) error {
	l := s.link
	l.mu.Lock()
	if s.recvDone {
		l.mu.Unlock()
		return errData
	}
	s.recvDone = true
	if reset != nil {
		s.settleOpen(&channel.Error{Code: channel.Code(reset.Code), Text: reset.Text, Remote: true})
	} else if !l.remoteStream(s.id) {
		s.settleOpen(nil)
	}
	s.finish()
	l.mu.Unlock()
	s.ended = true
	if reset != nil {
		s.stopReading(err)
	} else {
		s.endReading(err)
	}
	return nil
}

func (s *Stream) onStop(r wire.Reason) error {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.abandonWrite(r, &channel.CloseError{Code: channel.Code(r.Code), Text: r.Text})
	return nil
}

func (s *Stream) onWindow(allowed uint64) error {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if allowed < s.allowed {
		return violated("WINDOW went back")
	}
	s.allowed = allowed
	s.writable.Ring()
	return nil
}

func (s *Stream) onLost(err error) {
	s.link.mu.Lock()
	if s.writeErr == nil {
		s.writeErr = err
	}
	s.sendDone, s.recvDone = true, true
	s.writable.Ring()
	s.settleOpen(err)
	s.link.mu.Unlock()
	s.endReading(err)
	s.stopDeadlines()
}
