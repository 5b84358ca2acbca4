package stranger

import (
	"errors"
	"io"
	"sync"
	"time"
)

// pace is how many bytes of frames may be under way before messages and
// streams wait for PROGRESS.
const pace = 2 * 65_536

// ErrLost: the byte stream ended without CLOSE.
var ErrLost = errors.New("stranger: the connection was lost")

// A LinkConfig says what a link does with what arrives.
type LinkConfig struct {
	MaxMessage uint32 // largest message cost accepted
	// Handlers by channel name, each called in its channel's goroutine. If
	// nil, messages wait for Receive.
	Handlers map[string]func(*Message)
	// Services likewise, for channels of kind service. Without one it is refused.
	Services   map[string]func(*Message)
	Listen     []string      // names of streams that are accepted
	OnPipe     func(*Stream) // takes an OPEN with PIPE, from the reader; it must not block
	inPipe     bool          // OPEN with PIPE is a protocol error, and so is a group channel
	noProgress bool          // for tests: break the rule of section 13
	onEnd      func()        // called when the link is over, before Done
	Records    int           // most data in a record that this end writes; 0: what the protocol allows
	// History is what the initiator goes on with (section 8.1). If nil, it has no instance.
	History *History
	// Library is where the responder looks for it. If nil, it remembers no instance.
	Library *Library
}

// A carrier is the byte stream under a link: a secure connection, or a session
// of several (section 17). One goroutine may read and one may write.
type carrier interface {
	io.ReadWriter
	End() error   // the authenticated end of this direction
	Close() error // of what carries it, at once
	drain()       // reads until nothing comes any more
	peerKey() []byte
}

// A Link is sections 8 to 13 over one secure connection.
type Link struct {
	cfg     LinkConfig
	below   carrier
	peerMax uint32
	groups  bool // the other side is a server
	done    chan struct{}
	workers sync.WaitGroup

	mu   sync.Mutex
	cond *sync.Cond // broadcast with every change
	err  error      // why nothing goes any more

	queue      []byte // frames that are not yet written
	endWanted  bool   // the end record follows the queue
	closeSent  bool
	closeGot   bool
	closeTimer *time.Timer
	sentBytes  uint64 // frames queued, ever
	progress   uint64 // of those, read by the other side
	readBytes  uint64
	reported   uint64 // the last PROGRESS sent

	out         map[string]*outChannel
	outByNumber []*outChannel
	in          []*inChannel
	incoming    []*Message
	requests    map[uint32]*pending
	lastRequest uint32
	asked       map[uint32]*inRequest
	streams     map[uint32]*Stream
	nextStream  uint32
	nextPeers   uint32
	accepts     []*Stream
	pongs       map[uint32]bool
}

// newLink begins a link under the record of its welcome. The numbers of the
// history go on.
func newLink(below carrier, initiator bool, peerMax uint32, record [16]byte, cfg LinkConfig) *Link {
	if cfg.History == nil {
		cfg.History = NewHistory([16]byte{})
	}
	l := &Link{
		cfg: cfg, below: below, peerMax: peerMax, groups: initiator && !cfg.inPipe, done: make(chan struct{}),
		out: map[string]*outChannel{}, requests: map[uint32]*pending{}, asked: map[uint32]*inRequest{},
		streams: map[uint32]*Stream{}, nextStream: 2, nextPeers: 1, pongs: map[uint32]bool{},
	}
	l.cond = sync.NewCond(&l.mu)
	if initiator {
		l.nextStream, l.nextPeers = 1, 2
	}
	cfg.History.begin(l, record)
	l.workers.Add(1)
	go l.writer()
	go l.reader()
	return l
}

// Done is closed when the connection is closed and all goroutines have ended.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err is why the link ended; nil while it goes on.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// PeerKey is the static key of the other side.
func (l *Link) PeerKey() []byte { return l.below.peerKey() }

// writer writes the queue, and the end record when it is wanted.
func (l *Link) writer() {
	defer l.workers.Done()
	for {
		l.mu.Lock()
		for len(l.queue) == 0 && !l.endWanted {
			l.cond.Wait()
		}
		batch := l.queue
		l.queue = nil
		l.mu.Unlock()
		if len(batch) == 0 {
			_ = l.below.End() // the connection may be gone; then there is nobody to tell
			return
		}
		if _, err := l.below.Write(batch); err != nil {
			l.fail(err)
			return
		}
	}
}

// reader reads until the other side's end record, and cleans up.
func (l *Link) reader() {
	err := l.readFrames()
	var bad *Error
	if errors.As(err, &bad) && !bad.Remote {
		l.Close(bad.Code, bad.Text)
		l.below.drain() // closing at once could make the network throw the CLOSE away
	}
	l.fail(err)
	l.mu.Lock()
	orderly := l.closeSent
	l.endWanted = true
	l.cond.Broadcast()
	l.mu.Unlock()
	if !orderly {
		l.below.Close()
	}
	l.workers.Wait()
	if orderly {
		l.closeTimer.Stop()
	}
	l.below.Close()
	if l.cfg.onEnd != nil {
		l.cfg.onEnd()
	}
	close(l.done)
}

func (l *Link) readFrames() error {
	for {
		f, size, err := readFrame(l.below)
		if err == io.EOF {
			return ErrLost // after a CLOSE this is not reported
		}
		if err != nil {
			return err
		}
		if f.kind >= frameOpen && f.kind <= frameWindow {
			err = l.handleStream(f)
		} else {
			l.mu.Lock()
			err = l.handle(f)
			l.mu.Unlock()
		}
		if err != nil {
			return err
		}
		l.mu.Lock()
		if l.readBytes += uint64(size); l.readBytes-l.reported >= 32_768 && !l.cfg.noProgress {
			l.reported = l.readBytes
			l.enqueue(&frame{kind: frameProgress, number: l.readBytes})
		}
		l.cond.Broadcast()
		l.mu.Unlock()
	}
}

// handle takes a frame that is not of a stream.
func (l *Link) handle(f *frame) error {
	if l.closeGot {
		return protocolError("a frame after CLOSE")
	}
	switch f.kind {
	case frameChannel, frameMessage, frameSkip, frameGap, frameAnnounce, frameProbe:
		return l.handleIn(f)
	case frameCredit, frameRefuse:
		return l.handleOut(f)
	case frameAnswer, frameAnswerAnnounce:
		return l.handleAnswer(f)
	case frameAnswerGrant, frameCancel:
		l.handleAsked(f)
	case frameProgress:
		if f.number < l.progress || f.number > l.sentBytes {
			return protocolError("PROGRESS goes back or too far")
		}
		l.progress = f.number
	case framePing:
		l.enqueue(&frame{kind: framePong, id: f.id})
	case framePong:
		l.pongs[f.id] = true
	case frameClose:
		l.closeGot = true
		l.closeLocked(codeClosed, "", &Error{Code: f.code, Text: f.text, Remote: true})
	}
	return nil
}

// enqueue sends a frame. After CLOSE nothing is sent any more.
func (l *Link) enqueue(f *frame) {
	if l.closeSent {
		return
	}
	b := f.encode()
	l.queue = append(l.queue, b...)
	l.sentBytes += uint64(len(b))
	l.cond.Broadcast()
}

// waitRoom waits until few enough bytes are under way.
func (l *Link) waitRoom() error {
	for l.err == nil && l.sentBytes-l.progress >= pace {
		l.cond.Wait()
	}
	return l.err
}

func (l *Link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
	l.endWanted = true
	l.cond.Broadcast()
}

// Close ends the link (section 13) and returns at once; Done tells when it is over.
func (l *Link) Close(code int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeLocked(code, text, &Error{Code: code, Text: text})
}

func (l *Link) closeLocked(code int, text string, why *Error) {
	if l.err == nil {
		l.err = why
	}
	if l.closeSent {
		return
	}
	for _, c := range l.in {
		if c.taken != c.reported && !c.refused {
			l.credit(c)
		}
	}
	l.enqueue(&frame{kind: frameClose, code: code, text: text})
	l.closeSent, l.endWanted = true, true
	l.closeTimer = time.AfterFunc(5*time.Second, func() { l.below.Close() })
	l.cond.Broadcast()
}

// Ping sends PING and waits for the PONG with the same id.
func (l *Link) Ping(id uint32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pongs, id)
	l.enqueue(&frame{kind: framePing, id: id})
	for l.err == nil && !l.pongs[id] {
		l.cond.Wait()
	}
	return l.err
}
