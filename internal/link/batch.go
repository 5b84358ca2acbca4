package link

import (
	"sync"
	"sync/atomic"
)

// batch is what the goroutine that runs a channel's handlers has taken from its queue. It has a
// lock of its own, so that who ends the link can drop what no handler has begun.
type batch struct {
	mu    sync.Mutex
	q     []queued
	begun int // how many have left

	// pack has left q, but not yet all that is in it. It is set with mu held, or taken away; the
	// goroutine looks here for each message, and needs no lock for that.
	pack atomic.Pointer[pack]
}

// fill puts messages into an empty batch.
func (b *batch) fill(q []queued) {
	b.mu.Lock()
	b.q, b.begun = q, 0
	b.mu.Unlock()
}

// next takes a message of the channel m.ch out, or credit that is skipped; it reports false if there are no more.
func (b *batch) next(m *inMsg) bool {
	for {
		if p := b.pack.Load(); p != nil && p.next(m) {
			return true
		}
		e, ok := b.leave()
		if !ok {
			return false
		}
		if e.pack == nil {
			m.msg, m.req, m.cost = e.msg, e.req, e.cost
			return true
		}
	}
}

// leave takes the next out of q, if there is one, and lets go of a pack that is empty.
func (b *batch) leave() (e queued, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pack.Swap(nil); p != nil {
		p.reuse()
	}
	if b.begun == len(b.q) {
		return e, false
	}
	e, b.q[b.begun] = b.q[b.begun], queued{}
	b.begun++
	if e.pack != nil {
		e.pack.after = e.cost
		b.pack.Store(e.pack)
	}
	return e, true
}

// takeAll takes everything out: the cleared slice, for use again, and a copy of what had not left.
func (b *batch) takeAll() (spare, rest []queued) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pack.Swap(nil); p != nil && p.count > 0 {
		rest = append(rest, queued{pack: p, cost: p.after})
	}
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
	b.pack.Store(nil)
}
