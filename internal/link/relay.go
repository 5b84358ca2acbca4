package link

import (
	"sync/atomic"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// relayEnd is one of the two ends of a stream that this process passes on without reading it. What
// comes in at one end goes out at the other; frames keep their kind and change their id. Both
// directions' credit is the far sides' own, but held back so that at most a window waits here.
//
// The locks of the two links are never held together: an event is counted at the end where it
// happens under that link's mu, and then told to the other end under the other's.
type relayEnd struct {
	link   *Link
	id     uint32
	other  *relayEnd
	window uint64
	closed func()

	known    atomic.Bool // the far side knows of the stream, or never will
	answered func()      // to be called then; may be nil

	// Owned by the link's reader.
	received uint64
	accepted bool // it has said ACCEPT
	ended    bool // it has said END or RESET

	allowed atomic.Uint64 // how far we let it send; raised with link.mu held

	// Guarded by link.mu.
	notices
	lane     lane
	granted  uint64 // how far this end's far side lets us send
	popped   uint64 // bytes of DATA that have left for it
	sendDone bool   // END or RESET goes to it or has gone
	recvDone bool   // END or RESET has come from it
	gone     bool   // out of the link's table
}

// RelayEvents are called as a relayed stream goes on, each once. They must not wait or call a link.
type RelayEvents struct {
	// Here is called when the stream has ended on the link that it was opened on, and There when it
	// has on the other, which may be earlier or much later: each depends on what its own far side
	// does.
	Here, There func()

	// Answered is called when the far side of the other link has accepted the stream or ended its
	// direction, or the other link has ended. As long as it was not called There waits for somebody
	// who may not even know of the stream.
	Answered func()
}

// Relay connects a stream that the other side has just opened to a new one on another link. It must
// be called within Config.OpenPipe. The relay holds at most window bytes of each direction. The
// events are called if it succeeds, and may be before it returns.
func Relay(s *Stream, to *Link, open wire.PipeOpen, window int, on RelayEvents) error {
	l := s.link
	a := newRelayEnd(l, on.Here, window)
	b := newRelayEnd(to, on.There, window)
	b.answered = on.Answered
	a.id, b.opening = s.id, open.Append
	a.other, b.other = b, a
	a.lane.relay, b.lane.relay = a, b
	a.lane.owner, b.lane.owner = a, b

	to.mu.Lock()
	id, err := to.newStreamID()
	if err != nil {
		to.mu.Unlock()
		return err
	}
	b.id = id
	to.streams[id] = b
	b.tell()
	to.mu.Unlock()

	l.mu.Lock()
	_, alive := l.streams[s.id]
	if alive {
		l.streams[s.id] = a
	}
	l.mu.Unlock()
	if !alive {
		a.onLost(channel.ErrClosed) // the link ended meanwhile
		return nil
	}
	l.touch(to)
	return nil
}

func newRelayEnd(l *Link, closed func(), window int) *relayEnd {
	e := &relayEnd{link: l, closed: closed, window: max(uint64(window), streamAllowance), granted: streamAllowance}
	e.allowed.Store(streamAllowance)
	return e
}

// heard notes that the far side knows of the stream, or never will.
func (e *relayEnd) heard() {
	if !e.known.Load() && e.known.CompareAndSwap(false, true) && e.answered != nil {
		e.answered()
	}
}

// tell puts the end on its link's list of those that have something to tell; one that is finished
// has nothing any more. Call it with link.mu held.
func (e *relayEnd) tell() {
	if !e.due && !e.gone && e.link.state == stateOpen {
		e.due = true
		e.link.control(e)
	}
}

func (e *relayEnd) appendControl(b []byte) []byte {
	b = e.notices.append(b, e.id, e.recvDone, e.allowed.Load())
	e.finish()
	return b
}

// wentOut counts data that has left for the far side, which makes room for more. It is called without a lock. Who is
// nested in another link's writing has it told by a writer.
func (e *relayEnd) wentOut(n int, nested bool) {
	e.link.mu.Lock()
	e.popped += uint64(n)
	open := min(e.granted, e.popped+e.window)
	all := open == e.granted
	e.link.mu.Unlock()
	o := e.other
	if now := o.allowed.Load(); open <= now || !all && open-now < e.window/4 {
		return // small steps are not told one by one, but for the last: the far side may wait for us to send all that it allows
	}
	o.link.mu.Lock()
	o.open(open)
	if nested {
		o.link.startWriter()
	}
	o.link.mu.Unlock()
	if !nested {
		o.link.writeNested()
	}
}

// open lets the far side send up to the total. Call it with link.mu held.
func (e *relayEnd) open(total uint64) {
	if total > e.allowed.Load() {
		e.allowed.Store(total)
		e.windowDue = true
		e.tell()
	}
}

// abandon ends what goes to the far side with RESET. Call it with link.mu held.
func (e *relayEnd) abandon(r wire.Reason) {
	if e.sendDone {
		return
	}
	e.sendDone = true
	e.link.sched.drop(&e.lane)
	e.reset = &r
	e.tell()
	e.finish()
}

// finish forgets the stream on this link when both directions have ended and the far side has been
// written all about it. Call it with link.mu held.
func (e *relayEnd) finish() {
	if e.sendDone && e.recvDone && !e.due && e.lane.q.size == 0 && !e.gone {
		e.gone = true
		e.link.forget(e.id)
		e.closed()
	}
}

// relayedOut collects whose data has left a link's queue, to tell them when no lock is held.
type relayedOut struct {
	of []relayedPart
}

type relayedPart struct {
	end *relayEnd
	n   int
}

func (r *relayedOut) add(e *relayEnd, n int) { r.of = append(r.of, relayedPart{e, n}) }

func (r *relayedOut) tell(nested bool) {
	for _, x := range r.of {
		x.end.wentOut(x.n, nested)
	}
	clear(r.of)
	r.of = r.of[:0]
}
