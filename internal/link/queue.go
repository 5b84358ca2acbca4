package link

import (
	"encoding/binary"
	"sync"

	"github.com/pysock/pysock/internal/wire"
)

// Chunk sizes: a queue that holds one small message should not cost what a
// queue full of bulk does.
const (
	smallChunk = 2 << 10
	largeChunk = 64 << 10
)

// smallBody is the largest body of a message that a small chunk has room for.
const smallBody = smallChunk - wire.MaxHead

type chunk struct {
	b    []byte // filled part; cap is the chunk's size
	head int    // where the first frame that was not taken begins
	next *chunk
}

var smallChunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, smallChunk)} }}
var largeChunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, largeChunk)} }}

func newChunk(need int, small bool) *chunk {
	if small && need <= smallChunk {
		return smallChunks.Get().(*chunk)
	}
	return largeChunks.Get().(*chunk)
}

func (c *chunk) free() {
	c.next, c.head, c.b = nil, 0, c.b[:0]
	if cap(c.b) == smallChunk {
		smallChunks.Put(c)
	} else {
		largeChunks.Put(c)
	}
}

// frameQueue is a queue of whole encoded frames in pooled chunks. No frame
// spans two chunks. Its zero value is empty and holds no memory.
type frameQueue struct {
	first, last *chunk
	size        int // bytes of the frames that are queued
	lastAt      int // where the last frame begins in its chunk
}

// push appends one frame that is given in two parts.
func (q *frameQueue) push(head, body []byte) {
	n := len(head) + len(body)
	if q.last == nil || cap(q.last.b)-len(q.last.b) < n {
		c := newChunk(n, q.size == 0)
		if q.last == nil {
			q.first = c
		} else {
			q.last.next = c
		}
		q.last = c
	}
	q.lastAt = len(q.last.b)
	q.last.b = append(append(q.last.b, head...), body...)
	q.size += n
}

// extend appends what fits of p to the last frame, if that is DATA, and returns how many bytes that was.
func (q *frameQueue) extend(p []byte) int {
	if q.size == 0 {
		return 0
	}
	f := q.last.b[q.lastAt:]
	if wire.Type(f[0]) != wire.TypeData {
		return 0
	}
	have := len(f) - wire.HeaderSize
	n := min(len(p), wire.MaxPayload-have, cap(q.last.b)-len(q.last.b))
	q.last.b = append(q.last.b, p[:n]...)
	binary.BigEndian.PutUint16(f[2:4], uint16(have+n))
	q.size += n
	return n
}

// pushAll appends the frames of a message or answer.
func (q *frameQueue) pushAll(c *wire.Cutter) {
	var prefix [wire.MaxHead]byte
	for {
		head, body, ok := c.Next(prefix[:0])
		if !ok {
			return
		}
		q.push(head, body)
	}
}

// splice moves all frames of o to the end of q.
func (q *frameQueue) splice(o *frameQueue) {
	if o.first == nil {
		return
	}
	if q.last == nil {
		q.first = o.first
	} else {
		q.last.next = o.first
	}
	q.last, q.lastAt = o.last, o.lastAt
	q.size += o.size
	*o = frameQueue{}
}

// peek is the size of the first frame, 0 if there is none.
func (q *frameQueue) peek() int {
	if q.size == 0 {
		return 0
	}
	f := q.first.b[q.first.head:]
	return wire.HeaderSize + int(binary.BigEndian.Uint16(f[2:4]))
}

// pop moves the first frame, of n bytes as peek said, to b.
func (q *frameQueue) pop(b []byte, n int) []byte {
	c := q.first
	b = append(b, c.b[c.head:c.head+n]...)
	c.head += n
	q.size -= n
	if c.head == len(c.b) {
		q.first = c.next
		if q.first == nil {
			q.last = nil
		}
		c.free()
	}
	return b
}

// clear drops everything.
func (q *frameQueue) clear() {
	for c := q.first; c != nil; {
		next := c.next
		c.free()
		c = next
	}
	*q = frameQueue{}
}

// firstType is the type of the first frame, of which there must be one.
func (q *frameQueue) firstType() wire.Type { return wire.Type(q.first.b[q.first.head]) }

// endsAnswer reports whether the first frame is the last of an answer.
func (q *frameQueue) endsAnswer() bool {
	return q.firstType() == wire.TypeAnswer && wire.Flags(q.first.b[q.first.head+1]).Has(wire.FlagLast)
}
