package stranger

import "io"

// A Stream is section 11. Read, Write and Close may be called by one goroutine
// each.
type Stream struct {
	link *Link
	id   uint32
	Name string       // as in OPEN; "" for a pipe
	Pipe *PipeContext // nil for a stream that is no pipe
	mine bool         // this end opened it

	accepted   bool
	sent       uint64
	outAllowed uint64
	outEnded   bool // END or RESET was sent
	outErr     error

	buf       []byte
	received  uint64
	read      uint64
	inAllowed uint64
	inEnded   bool // END or RESET came
	inErr     error
	stopSent  bool

	relay *Stream // the other half, in a server
}

func (l *Link) addStream(f *frame, mine bool) *Stream {
	s := &Stream{
		link: l, id: f.id, Name: f.name, Pipe: f.pipe, mine: mine,
		outAllowed: initialCredit, inAllowed: initialCredit,
	}
	l.streams[f.id] = s
	return s
}

// Open opens a stream; it does not wait for the answer.
func (l *Link) Open(name string) (*Stream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open(&frame{kind: frameOpen, name: name})
}

func (l *Link) open(f *frame) (*Stream, error) {
	if l.err != nil {
		return nil, l.err
	}
	f.id = l.nextStream
	l.nextStream += 2
	l.enqueue(f)
	return l.addStream(f, true), nil
}

// AcceptStream waits for a stream that the other side opens.
func (l *Link) AcceptStream() (*Stream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.accepts) == 0 && l.err == nil {
		l.cond.Wait()
	}
	if l.err != nil {
		return nil, l.err
	}
	s := l.accepts[0]
	l.accepts = l.accepts[1:]
	return s, nil
}

// WaitAccept waits until the other side accepted the stream or said no.
func (s *Stream) WaitAccept() error {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	for !s.accepted && s.inErr == nil && s.link.err == nil {
		s.link.cond.Wait()
	}
	if s.accepted {
		return nil
	}
	if s.inErr != nil {
		return s.inErr
	}
	return s.link.err
}

// accept answers an OPEN with yes.
func (s *Stream) accept() { s.link.enqueue(&frame{kind: frameAccept, id: s.id}) }

// giveUp is RESET and STOP, of what is still open.
func (s *Stream) giveUp(code int) {
	s.reset(code)
	if !s.inEnded && !s.stopSent {
		s.stopSent = true
		s.link.enqueue(&frame{kind: frameStop, id: s.id, code: code})
	}
	s.buf = nil
	s.forget()
}

func (s *Stream) reset(code int) {
	if !s.outEnded {
		s.outEnded = true
		s.link.enqueue(&frame{kind: frameReset, id: s.id, code: code})
	}
}

// forget drops a closed stream.
func (s *Stream) forget() {
	if s.inEnded && s.outEnded {
		delete(s.link.streams, s.id)
	}
	s.link.cond.Broadcast()
}

// Read reads; io.EOF is END, an *Error a RESET.
func (s *Stream) Read(b []byte) (int, error) {
	l := s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(s.buf) == 0 && s.inErr == nil && !s.stopSent && l.err == nil {
		l.cond.Wait()
	}
	if len(s.buf) == 0 {
		switch {
		case s.inErr != nil:
			return 0, s.inErr
		case s.stopSent:
			return 0, io.ErrClosedPipe
		}
		return 0, l.err
	}
	n := copy(b, s.buf)
	s.buf = s.buf[n:]
	s.read += uint64(n)
	if !s.inEnded && !s.stopSent && s.inAllowed-s.read <= initialCredit/2 {
		s.inAllowed = s.read + initialCredit
		l.enqueue(&frame{kind: frameWindow, id: s.id, number: s.inAllowed})
	}
	return n, nil
}

// Write waits for credit as often as it must.
func (s *Stream) Write(b []byte) (int, error) {
	l := s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for done := 0; done < len(b); {
		for l.err == nil && !s.outEnded && (s.sent >= s.outAllowed || l.sentBytes-l.progress >= pace) {
			l.cond.Wait()
		}
		switch {
		case l.err != nil:
			return done, l.err
		case s.outErr != nil:
			return done, s.outErr
		case s.outEnded:
			return done, io.ErrClosedPipe
		}
		n := min(len(b)-done, mostPayload, int(min(s.outAllowed-s.sent, mostPayload)))
		l.enqueue(&frame{kind: frameData, id: s.id, body: b[done : done+n]})
		s.sent += uint64(n)
		done += n
	}
	return len(b), nil
}

// CloseWrite sends END.
func (s *Stream) CloseWrite() error {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if !s.outEnded {
		s.outEnded = true
		s.link.enqueue(&frame{kind: frameEnd, id: s.id})
		s.forget()
	}
	return nil
}

// Close is END, and STOP with code 0 if the other direction is open.
func (s *Stream) Close() error {
	_ = s.CloseWrite()
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.giveUp(codeClosed)
	return nil
}

// Reset gives the whole stream up.
func (s *Stream) Reset(code int) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.giveUp(code)
}
