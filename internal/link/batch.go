package link

import "sync"

// batch is what the goroutine that runs a channel's handlers has taken from its queue. It has a lock of its own, so that
// who ends the link can drop what no handler has begun.
type batch struct {
	mu    sync.Mutex
	q     []inMsg
	begun int // how many have left
}

// fill puts messages into an empty batch.
func (b *batch) fill(q []inMsg) {
	b.mu.Lock()
	b.q, b.begun = q, 0
	b.mu.Unlock()
}

// next takes a message out; ok is false if there are no more.
func (b *batch) next() (m inMsg, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.begun == len(b.q) {
		return m, false
	}
	m, b.q[b.begun] = b.q[b.begun], inMsg{}
	b.begun++
	return m, true
}

// empty takes everything out: the cleared slice, for use again, and a copy of what had not left.
func (b *batch) empty() (spare, rest []inMsg) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.begun < len(b.q) {
		rest = append(rest, b.q[b.begun:]...)
	}
	spare = b.q[:0]
	clear(b.q)
	b.q, b.begun = nil, 0
	return spare, rest
}

// drop forgets what has not left.
func (b *batch) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.q)
	b.begun = len(b.q)
}
