package link

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/pysock/pysock/internal/wire"
)

// An idle link reads into a small buffer; while bytes come, into a large one that links share.
const (
	idleBuffer = 512
	readBuffer = 64 << 10
)

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }}

// readState is what only the reader touches.
type readState struct {
	total   uint64  // bytes of frames read
	settled uint64  // total when afterBatch was last called
	touched []*Link // other links that have relayed frames to write
	closed  bool    // the other side's CLOSE has come

	services int // service channels that the other side has opened
	groups   int // group channels that it has opened
}

// read reads frames and acts on them until the connection ends.
func (l *Link) read() {
	defer l.wg.Done()
	err := l.readFrames()
	var wireErr *wire.Error
	var protoErr *protocolError
	if errors.As(err, &wireErr) || errors.As(err, &protoErr) {
		l.breach(err)
		l.discardInput()
	}
	l.awaitCloseWritten()
	l.teardown(err)
	close(l.done)
}

// readFrames returns what ended the connection, io.EOF if it ended in an orderly way.
func (l *Link) readFrames() error {
	if l.rec != nil {
		return l.readRecords()
	}
	small := make([]byte, idleBuffer)
	var large *[]byte
	defer func() {
		if large != nil {
			readBuffers.Put(large)
		}
	}()
	buf, n := small, 0
	for {
		m, err := l.conn.Read(buf[n:])
		n += m
		if m > 0 {
			l.stats.received(m)
			used, perr := l.frames(buf[:n])
			l.rd.total += uint64(used)
			l.afterBatch()
			if perr != nil {
				return perr
			}
			n = copy(buf, buf[used:n])
		}
		if err != nil {
			return l.readError(err, n)
		}
		switch {
		case n == 0 && large != nil && m < readBuffer/4:
			buf = small
			readBuffers.Put(large)
			large = nil
		case large == nil && (n > 0 || m == idleBuffer):
			large = readBuffers.Get().(*[]byte)
			copy(*large, buf[:n])
			buf = *large
		}
	}
}

func (l *Link) readError(err error, rest int) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	if rest > 0 {
		return violated("the stream ended within a frame")
	}
	return io.EOF
}

// frames acts on the complete frames in b and returns how many bytes they were.
func (l *Link) frames(b []byte) (used int, err error) {
	defer l.queuePacked()
	for len(b)-used >= wire.HeaderSize {
		h, err := wire.ParseHeader(b[used:])
		if err != nil {
			return used, err
		}
		end := used + wire.HeaderSize + h.Len
		if end > len(b) {
			break
		}
		if l.hears(h.Type) {
			if err := l.frame(h, b[used+wire.HeaderSize:end]); err != nil {
				return used, err
			}
		}
		used = end
	}
	return used, nil
}

// hears reports whether frames of a type are still acted on: none after the other side's CLOSE, and few after
// our own.
func (l *Link) hears(t wire.Type) bool {
	return !l.rd.closed && (!l.ignoresInput.Load() || t == wire.TypeClose || t == wire.TypeProgress)
}

// afterBatch lets go what the frames just read have brought about, on the links that they were
// relayed to and then here: what others have taken makes room that the other side is told of.
func (l *Link) afterBatch() {
	l.rd.settled = l.rd.total
	for i, t := range l.rd.touched {
		t.writeNow()
		l.rd.touched[i] = nil
	}
	l.rd.touched = l.rd.touched[:0]
	l.mu.Lock()
	if l.rd.total-l.toldRead >= wire.ProgressInterval {
		l.progress = l.rd.total
	}
	l.readerWrites.Store(false)
	l.mu.Unlock()
	l.writeNow()
}

// touch notes that frames were queued on another link, which is to write them when this batch has been read.
func (l *Link) touch(other *Link) {
	for _, t := range l.rd.touched {
		if t == other {
			return
		}
	}
	l.rd.touched = append(l.rd.touched, other)
}

// frame acts on one frame.
func (l *Link) frame(h wire.Header, p []byte) error {
	switch h.Type {
	case wire.TypeMessage, wire.TypeAnswer:
		return l.bodyFrame(h, p)
	case wire.TypeData, wire.TypeAccept, wire.TypeEnd, wire.TypeReset, wire.TypeStop, wire.TypeWindow:
		return l.onStreamFrame(h, p)
	case wire.TypeOpen:
		return l.onOpen(h, p)
	case wire.TypeChannel:
		return l.onChannel(h, p)
	case wire.TypeCredit:
		return l.onCredit(h, p)
	case wire.TypeProbe:
		return l.onProbe(h, p)
	case wire.TypeAnnounce:
		return l.onAnnounce(h, p)
	case wire.TypeSkip:
		return l.onSkip(h, p)
	case wire.TypeGap:
		return l.onGap(h, p)
	case wire.TypeRefuse:
		return l.onRefuse(h, p)
	case wire.TypeAnswerAnnounce:
		return l.onAnswerAnnounce(h, p)
	case wire.TypeAnswerGrant:
		return l.onAnswerGrant(h)
	case wire.TypeCancel:
		return l.onCancel(h)
	case wire.TypeProgress:
		return l.onProgress(p)
	case wire.TypePing:
		l.mu.Lock()
		l.pong, l.pongDue = h.ID, true
		l.mu.Unlock()
		return nil
	case wire.TypePong:
		l.onPong(h.ID)
		return nil
	case wire.TypeClose:
		return l.onClose(p)
	}
	return violated("frame %v is not expected", h.Type)
}

// bodyFrame acts on a frame that is a part of a body.
func (l *Link) bodyFrame(h wire.Header, p []byte) error {
	l.bodies.Lock()
	defer l.bodies.Unlock()
	switch {
	case l.ignoresInput.Load():
		return nil // what there was of the body has been dropped
	case h.Type == wire.TypeMessage:
		return l.onMessage(h, p)
	}
	return l.onAnswer(h, p)
}

func (l *Link) onProgress(p []byte) error {
	total, err := wire.ParseProgress(p)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.pace.Progress(total, time.Now()); err != nil {
		return violated("PROGRESS went back or beyond what was sent")
	}
	return nil
}
