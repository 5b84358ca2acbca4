package flow

import "sync"

// GrowShare is the part of a pool that windows may grow into. The rest is for large messages, so that the
// first in line always gets its turn.
const GrowShare = 4 << 20

// Pool is what one session may hold beyond what is guaranteed to each channel: one large message at
// least, and the growth of windows. Its methods may be called by several goroutines.
type Pool struct {
	mu   sync.Mutex
	size uint64
	used uint64
}

// NewPool makes a pool that has room for a message of the given cost and for growth.
func NewPool(maxMessage uint64) *Pool { return &Pool{size: maxMessage + GrowShare} }

// Used is how much of the pool is held, for tests of who holds it.
func (p *Pool) Used() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

// Take holds n bytes for a large message, if they are free.
func (p *Pool) Take(n uint64) bool { return p.take(n) }

// Give returns n bytes.
func (p *Pool) Give(n uint64) { p.give(n) }

func (p *Pool) take(n uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.size-p.used < n {
		return false
	}
	p.used += n
	return true
}

// grow takes n bytes for a window, out of the share that is for growth.
func (p *Pool) grow(n uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used+n > GrowShare {
		return false
	}
	p.used += n
	return true
}

func (p *Pool) give(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used -= n
}
