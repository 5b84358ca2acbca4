package link

import (
	"github.com/pysock/pysock/internal/wire"
)

// quantum is how many bytes a lane may send in its turn. One frame fits, so
// that every turn makes progress.
const quantum = wire.HeaderSize + wire.MaxPayload

// A lane is what takes turns: the messages of a channel, the answers to one, the data of a stream.
type lane struct {
	q       frameQueue
	deficit int
	next    *lane // in the ring of active lanes
	active  bool
	relay   *relayEnd // whose data this is, to hear of what has left; nil for the others
}

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
	queued     int // bytes in all lanes
}

func (s *sched) empty() bool { return s.head == nil && len(s.control) == 0 }

// activate gives f its turns, if it has something to send.
func (s *sched) activate(f *lane) {
	if f.active || f.q.size == 0 {
		return
	}
	f.active = true
	f.next = nil
	if s.tail == nil {
		s.head = f
	} else {
		s.tail.next = f
	}
	s.tail = f
}

// push queues one frame on a lane.
func (s *sched) push(f *lane, head, body []byte) {
	f.q.push(head, body)
	s.queued += len(head) + len(body)
	s.activate(f)
}

// pushAll queues the frames of a message or answer on a lane.
func (s *sched) pushAll(f *lane, c *wire.Cutter) {
	before := f.q.size
	f.q.pushAll(c)
	s.queued += f.q.size - before
	s.activate(f)
}

// splice queues frames that were made before.
func (s *sched) splice(f *lane, q *frameQueue) {
	s.queued += q.size
	f.q.splice(q)
	s.activate(f)
}

// drop empties a lane. It leaves the ring when its turn comes.
func (s *sched) drop(f *lane) {
	s.queued -= f.q.size
	f.q.clear()
}

// dropAll drops everything that waits.
func (s *sched) dropAll() {
	for f := s.head; f != nil; {
		next := f.next
		s.drop(f)
		f.active, f.next, f.deficit = false, nil, 0
		f = next
	}
	s.head, s.tail = nil, nil
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
	} else {
		rest := copy(s.control, s.control[n:])
		clear(s.control[rest:])
		s.control = s.control[:rest]
	}
	return b
}

// appendData moves frames of the lanes to b by turns, until it is limit bytes long or room bytes were
// moved. drained is called for relayed data that leaves.
func (s *sched) appendData(b []byte, limit, room int, drained func(*relayEnd, int)) []byte {
	end := min(limit, len(b)+room)
	for s.head != nil {
		f := s.head
		if !f.active {
			panic("link: an inactive lane is in the ring")
		}
		f.deficit += quantum
		moved := 0
		for n := f.q.peek(); n > 0 && n <= f.deficit; n = f.q.peek() {
			if len(b)+n > end {
				// The turn is not over: the lane goes on with the next record.
				f.deficit = max(f.deficit-quantum, 0)
				s.leave(f, moved, drained)
				return b
			}
			if f.relay != nil && f.q.isData() {
				moved += n - wire.HeaderSize
			}
			b = f.q.pop(b, n)
			f.deficit -= n
			s.queued -= n
		}
		s.leave(f, moved, drained)
		s.head = f.next
		if s.head == nil {
			s.tail = nil
		}
		f.next, f.active = nil, false
		if f.q.size == 0 {
			f.deficit = 0
		}
		s.activate(f)
	}
	return b
}

func (s *sched) leave(f *lane, moved int, drained func(*relayEnd, int)) {
	if moved > 0 {
		drained(f.relay, moved)
	}
}

// isData reports whether the first frame is a DATA frame.
func (q *frameQueue) isData() bool {
	return wire.Type(q.first.b[q.first.head]) == wire.TypeData
}
