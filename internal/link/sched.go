package link

import (
	"github.com/pysock/pysock/internal/wire"
)

// quantum is how many bytes a lane may send in its turn. One frame fits, so
// that every turn makes progress.
const quantum = wire.HeaderSize + wire.MaxPayload

// yield divides the turn of foreign lanes while half of MaxQueued of our own waits. It is not
// infinite, or they would starve behind bulk.
const yield = 16

// A lane is what takes turns: the messages of a channel, the answers to one, the data of a stream.
type lane struct {
	q       frameQueue
	deficit int
	next    *lane // in the ring of active lanes
	active  bool
	inTurn  bool // a batch was full in the middle of its turn

	relay   *relayEnd // whose data this is, to hear of what has left; nil for the others
	answers bool      // these are answers, which sched counts
	foreign bool      // what others have the link send: it takes no room from the link's own application, and all of these together have the turn of one lane
	owner   laneOwner // hears when all has left; may be nil
}

// A laneOwner hears that all that was queued on its lane has left, and so that it may be finished. It is called with
// the link's mu held.
type laneOwner interface{ finish() }

// A controller has control frames to send. They are state and not a queue: what is told is what holds when
// the frame is made, so a controller is in the list once at most and memory stays bounded by the number of controllers.
type controller interface {
	// appendControl appends the frames that are due, maxControl bytes at most.
	appendControl(b []byte) []byte
}

// maxControl bounds what one controller appends: a stream's OPEN, ACCEPT, RESET, STOP and WINDOW.
const maxControl = 1024

// sched decides what is sent next: control first, then the lanes by turns.
// The link's mu guards it.
type sched struct {
	head, tail *lane // active lanes, whose turn it is first
	control    []controller
	most       int  // how many bytes may wait before others do; set when it is made
	queued     int  // bytes in all lanes
	relayed    int  // of them, bytes that come from other links
	foreign    int  // of them, bytes of foreign lanes
	foreigners int  // foreign lanes that are active
	answers    int  // answers that have not left
	ranEmpty   bool // a lane that is not foreign has become empty since this was last reset
}

func (s *sched) idle() bool { return s.head == nil && len(s.control) == 0 }

// own is how many bytes wait that are neither relayed nor foreign.
func (s *sched) own() int { return s.queued - s.relayed - s.foreign }

// full reports whether who wants to queue on the lane has to wait. What is relayed does not count,
// because it does not wait itself and would keep everybody else out. What is foreign counts for
// itself: others must not make the link's application wait, whose patience with the other side may
// end. Something small of the application's goes onto an empty lane in any case: it waits for its
// turn there, and not for those who fill the queue.
func (s *sched) full(f *lane, n int) bool {
	if f.foreign {
		return s.foreign >= s.most
	}
	return s.own() >= s.most && (f.q.size > 0 || n > smallBody)
}

// turnOf is how many bytes a lane may send in its turn. Those of foreign lanes are parts of one
// turn, and of much less while the application's own wait: what goes out for it must not be for
// others to choose. A part may be smaller than a frame, which then goes out in a later turn.
func (s *sched) turnOf(f *lane) int {
	if !f.foreign {
		return quantum
	}
	parts := s.foreigners
	if s.own() >= s.most/2 {
		parts *= yield
	}
	return max(1, quantum/parts)
}

// activate gives f its turns, if it has something to send.
func (s *sched) activate(f *lane) {
	if f.active || f.q.size == 0 {
		return
	}
	f.active = true
	if f.foreign {
		s.foreigners++
	}
	f.next = nil
	if s.tail == nil {
		s.head = f
	} else {
		s.tail.next = f
	}
	s.tail = f
}

// count counts n bytes more, or fewer, on a lane.
func (s *sched) count(f *lane, n int) {
	s.queued += n
	if f.relay != nil {
		s.relayed += n
	}
	if f.foreign {
		s.foreign += n
	}
}

// push queues one frame on a lane.
func (s *sched) push(f *lane, head, body []byte) {
	f.q.push(head, body)
	s.count(f, len(head)+len(body))
	s.activate(f)
}

// pushAll queues the frames of a message or answer on a lane.
func (s *sched) pushAll(f *lane, c *wire.Cutter) {
	before := f.q.size
	f.q.pushAll(c)
	s.count(f, f.q.size-before)
	s.activate(f)
}

// splice queues frames that were made before.
func (s *sched) splice(f *lane, q *frameQueue) {
	s.count(f, q.size)
	f.q.splice(q)
	s.activate(f)
}

// drop empties a lane. It leaves the ring when its turn comes.
func (s *sched) drop(f *lane) {
	s.count(f, -f.q.size)
	f.q.clear()
}

// dropAll drops everything that waits.
func (s *sched) dropAll() {
	for f := s.head; f != nil; {
		next := f.next
		s.drop(f)
		f.active, f.inTurn, f.next, f.deficit = false, false, nil, 0
		f = next
	}
	s.head, s.tail, s.answers, s.foreigners = nil, nil, 0, 0
	clear(s.control)
	s.control = nil
}

// appendControl moves what control there is to b, as long as it fits into limit.
func (s *sched) appendControl(b []byte, limit int) []byte {
	n := 0
	for n < len(s.control) && len(b)+maxControl <= limit {
		b = s.control[n].appendControl(b)
		n++
	}
	if n == len(s.control) {
		clear(s.control)
		s.control = s.control[:0]
		if cap(s.control) > 256 {
			s.control = nil
		}
	} else {
		rest := copy(s.control, s.control[n:])
		clear(s.control[rest:])
		s.control = s.control[:rest]
	}
	return b
}

// appendData moves frames of the lanes to b by turns, until it is limit bytes long or room bytes were
// moved. It moves nothing while there is control left: a message must not overtake the opening of its channel.
func (s *sched) appendData(b []byte, limit, room int, out *relayedOut) []byte {
	if len(s.control) > 0 {
		return b
	}
	end := min(limit, len(b)+room)
	for s.head != nil {
		f := s.head
		if !f.inTurn {
			f.deficit += s.turnOf(f)
			f.inTurn = true
		}
		full := false
		b, full = s.turn(f, b, end, out)
		if full {
			return b // the lane goes on with the next batch
		}
		s.head = f.next
		if s.head == nil {
			s.tail = nil
		}
		f.next, f.active, f.inTurn = nil, false, false
		if f.foreign {
			s.foreigners--
		}
		if f.q.size == 0 {
			f.deficit = 0
		}
		s.activate(f)
	}
	return b
}

// turn moves what the lane may send in its turn. It reports full if there is no room in b for all of that.
func (s *sched) turn(f *lane, b []byte, end int, out *relayedOut) (_ []byte, full bool) {
	moved, before := 0, f.q.size
	for n := f.q.peek(); n > 0 && n <= f.deficit; n = f.q.peek() {
		if len(b)+n > end {
			full = true
			break
		}
		if f.relay != nil && f.q.firstType() == wire.TypeData {
			moved += n - wire.HeaderSize
		}
		if f.answers && f.q.endsAnswer() {
			s.answers--
		}
		b = f.q.pop(b, n)
		f.deficit -= n
	}
	s.count(f, f.q.size-before)
	if moved > 0 {
		out.add(f.relay, moved)
	}
	if before > 0 && f.q.size == 0 {
		s.ranEmpty = s.ranEmpty || !f.foreign
		if f.owner != nil {
			f.owner.finish()
		}
	}
	return b, full
}
