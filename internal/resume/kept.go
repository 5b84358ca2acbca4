package resume

import "sync"

// kept is the part of a stream that may have to be sent again: a queue of bytes in segments from
// pools. Small amounts lie in small segments, so that many sessions with a little each do not
// hold much, and large amounts in large ones.
type kept struct {
	start, end  uint64 // positions in the stream
	memory      int    // bytes of the segments, used or not
	first, last *segment
}

type segment struct {
	class    int // index of segmentSizes
	from, to int // of buf
	buf      []byte
	lent     *[]byte // what buf is, of the largest class
	next     *segment

	pinned   bool // a connection's write reads it
	released bool // meanwhile
}

// segmentSizes are ascending. The last holds whatever one call of add may bring.
var segmentSizes = [...]int{512, 4 << 10, 16 << 10, maxSegment}

const maxSegment = 64 << 10

var segmentPools [len(segmentSizes)]sync.Pool

// largeBuffers are of maxSegment bytes: what lies in segments of the largest class, and what Lend lends.
var largeBuffers = sync.Pool{New: func() any { b := make([]byte, maxSegment); return &b }}

func newSegment(class int) *segment {
	if class == len(segmentSizes)-1 {
		return lentSegment(largeBuffers.Get().(*[]byte))
	}
	if s, ok := segmentPools[class].Get().(*segment); ok {
		return s
	}
	return &segment{class: class, buf: make([]byte, segmentSizes[class])}
}

// lentSegment makes a segment of a large buffer, which it owns from then on.
func lentSegment(b *[]byte) *segment {
	const class = len(segmentSizes) - 1
	s, ok := segmentPools[class].Get().(*segment)
	if !ok {
		s = &segment{class: class}
	}
	s.buf, s.lent = *b, b
	return s
}

// free lets the segment go. If a write reads it, that is put off to unpin: a write to a connection
// that was given up may still read what was acknowledged over the next, and the buffer must not
// become another session's meanwhile.
func (s *segment) free() {
	if s.next = nil; s.pinned {
		s.released = true
		return
	}
	if s.lent != nil {
		largeBuffers.Put(s.lent)
		s.buf, s.lent = nil, nil
	}
	s.from, s.to = 0, 0
	segmentPools[s.class].Put(s)
}

// unpin says that no write reads the segment any more.
func (s *segment) unpin() {
	if s.pinned = false; s.released {
		s.released = false
		s.free()
	}
}

// class returns which size of segment to take for n bytes more, of which some may go into the
// last segment: -1 for none, and ok is false if k would hold more than limit bytes. n is at
// most maxSegment.
func (k *kept) class(n, limit int) (class int, ok bool) {
	if k.last != nil {
		n -= len(k.last.buf) - k.last.to
	}
	if n <= 0 {
		return -1, true
	}
	for segmentSizes[class] < n {
		class++
	}
	if k.memory+segmentSizes[class] > limit {
		return 0, false
	}
	// As much again as there is: a stream of small writes ends in large segments.
	for class+1 < len(segmentSizes) && segmentSizes[class] < k.memory && k.memory+segmentSizes[class+1] <= limit {
		class++
	}
	return class, true
}

// fits reports whether n bytes more can be added without holding more than limit bytes of memory.
func (k *kept) fits(n, limit int) bool {
	_, ok := k.class(n, limit)
	return ok
}

// add appends a copy of b, which fits.
func (k *kept) add(b []byte, limit int) {
	class, _ := k.class(len(b), limit)
	k.end += uint64(len(b))
	if k.last != nil {
		n := copy(k.last.buf[k.last.to:], b)
		k.last.to += n
		b = b[n:]
	}
	if class < 0 {
		return
	}
	s := newSegment(class)
	s.to = copy(s.buf, b)
	k.append(s)
}

// adoptFrom is how much of a large buffer must be filled to keep it as it is. Less is copied.
const adoptFrom = maxSegment / 2

// adopt appends n bytes that begin at from of a large buffer, which k owns from then on. It returns
// nil if a copy is to be added instead.
func (k *kept) adopt(b *[]byte, from, n, limit int) *segment {
	if n < adoptFrom || k.memory+maxSegment > limit {
		return nil
	}
	s := lentSegment(b)
	s.from, s.to = from, from+n
	k.end += uint64(n)
	k.append(s)
	return s
}

func (k *kept) append(s *segment) {
	k.memory += len(s.buf)
	if k.last == nil {
		k.first = s
	} else {
		k.last.next = s
	}
	k.last = s
}

// release lets go what lies before a position.
func (k *kept) release(to uint64) {
	for k.start < to {
		s := k.first
		n := int(min(to-k.start, uint64(s.to-s.from)))
		s.from += n
		k.start += uint64(n)
		if s.from < s.to {
			return
		}
		// A last segment with room left goes too if nothing is kept: an idle session holds nothing.
		k.memory -= len(s.buf)
		if k.first = s.next; k.first == nil {
			k.last = nil
		}
		s.free()
	}
}

// copy copies what lies from a position on, as much as b takes, and returns how much that was.
func (k *kept) copy(b []byte, at uint64) (n int) {
	skip := at - k.start
	for s := k.first; s != nil && n < len(b); s = s.next {
		part := s.buf[s.from:s.to]
		if skip >= uint64(len(part)) {
			skip -= uint64(len(part))
			continue
		}
		n += copy(b[n:], part[skip:])
		skip = 0
	}
	return n
}
