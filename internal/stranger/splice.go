package stranger

import (
	"bytes"
	"io"
	"math"
	"sync"
	"time"
)

// mostKept is how many bytes may wait for their acknowledgement before Write waits.
const mostKept = 1 << 20

// A splice is a session of section 17: one byte stream in each direction, which
// one connection after another carries. The connection of the moment is a
// strand.
type splice struct {
	server bool
	id     [16]byte
	secret []byte
	peer   []byte // static key of the other side
	most   int    // data in a record

	mu      sync.Mutex
	cond    *sync.Cond     // broadcast with every change
	strands sync.WaitGroup // their goroutines
	strand  *strand        // nil: suspended
	attempt uint64         // the last one made or taken up
	grace   time.Duration
	timer   *time.Timer // ends the session when grace is over
	err     error       // why it is over

	kept    []byte // this end's stream, as much as is still needed
	base    uint64 // where it begins
	acked   uint64 // what the other side has acknowledged
	sent    uint64 // how far any connection has carried it
	ending  bool   // end follows
	endSent bool
	arrived uint64
	unread  []byte
	mayAck  uint64 // no ACK says more
	inEnd   bool
	inErr   error   // the other side broke section 17
	retry   *uint32 // milliseconds that the server says or has said; nil: it has not
}

func newSplice(server bool, id [16]byte, grace time.Duration, records int) *splice {
	s := &splice{server: server, id: id, grace: grace, most: mostPlain - 1, mayAck: math.MaxUint64}
	if records > 0 {
		s.most = records
	}
	s.cond = sync.NewCond(&s.mu)
	s.timer = time.AfterFunc(grace, func() { s.finish(ErrLost) })
	return s
}

// begin makes the connection with which the session begins its first strand.
func (s *splice) begin(sec *secureConn) {
	s.secret, s.peer = sec.export(resumeLabel, 32), sec.peer
	s.attach(sec, 0, 0, 0)
}

// attach goes on over a connection: with this end's stream from position next
// on, and with the other's from position at on. A newer attempt goes before.
func (s *splice) attach(sec *secureConn, attempt, next, at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || attempt != s.attempt {
		sec.conn.Close()
		return
	}
	s.suspend()
	s.timer.Stop()
	s.acked = next
	s.trim()
	s.mayAck = math.MaxUint64
	st := newStrand(s, sec, next, at)
	s.strand = st
	s.strands.Add(2)
	go st.read()
	go st.write()
	s.cond.Broadcast()
}

// suspend gives the strand up; grace begins.
func (s *splice) suspend() {
	if st := s.strand; st != nil {
		s.strand = nil
		st.close()
	}
	if s.err == nil {
		s.timer.Reset(s.grace)
	}
	s.cond.Broadcast()
}

// trim drops what is acknowledged. An ACK may tell of what an earlier connection
// carried and the strand has not yet; it is sent all the same.
func (s *splice) trim() {
	to := s.acked
	if s.strand != nil {
		to = min(to, s.strand.next)
	}
	s.kept = s.kept[to-s.base:]
	s.base = to
}

// takeUp judges a token and, if it is good, closes the strand and gives the
// position and the proof for the welcome. The rest is attach's.
func (s *splice) takeUp(peer []byte, t *Token, of hashes) (position uint64, ours [32]byte, no *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.proven(peer, t, of), t.Attempt <= s.attempt, s.err != nil:
		return 0, ours, &Error{Code: codeNoSession, Text: "no such session"}
	case t.Position > s.sent || t.Position < s.acked:
		return 0, ours, protocolError("bad position")
	}
	s.attempt = t.Attempt
	s.suspend()
	return s.arrived, proof(s.secret, "server", of.h, s.id, t.Attempt, s.arrived), nil
}

// proven tells whether a token comes from the client of the session, in this
// handshake.
func (s *splice) proven(peer []byte, t *Token, of hashes) bool {
	return bytes.Equal(peer, s.peer) && t.Proof == proof(s.secret, "client", of.h2, s.id, t.Attempt, t.Position)
}

// Read reads the other side's stream; io.EOF is its authenticated end.
func (s *splice) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unread) == 0 && !s.inEnd && s.inErr == nil && s.err == nil {
		s.cond.Wait()
	}
	switch {
	case len(s.unread) > 0:
		n := copy(b, s.unread)
		s.unread = s.unread[n:]
		return n, nil
	case s.inErr != nil:
		return 0, s.inErr
	case s.inEnd:
		return 0, io.EOF
	}
	return 0, s.err
}

// Write waits while too much is kept. After the other side's end no ACK can
// come, so then it does not.
func (s *splice) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.kept) >= mostKept && !s.inEnd && s.err == nil {
		s.cond.Wait()
	}
	if s.err != nil {
		return 0, s.err
	}
	s.kept = append(s.kept, b...)
	s.cond.Broadcast()
	return len(b), nil
}

// End waits until the end of this direction was sent.
func (s *splice) End() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = true
	s.cond.Broadcast()
	for !s.endSent && s.err == nil {
		s.cond.Wait()
	}
	return s.err
}

// Close ends the session at once and waits for its goroutines.
func (s *splice) Close() error {
	s.finish(io.ErrClosedPipe)
	s.strands.Wait()
	return nil
}

func (s *splice) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.suspend()
	s.timer.Stop()
}

// drain waits for the end; what comes before is not looked at any more.
func (s *splice) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.inEnd && s.err == nil {
		s.unread = nil
		s.cond.Wait()
	}
}

func (s *splice) peerKey() []byte { return s.peer }

// sayRetry announces the end of the session, and when to come back.
func (s *splice) sayRetry(milliseconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retry = &milliseconds
	s.cond.Broadcast()
}
