package link

import "sync"

// A channel's queue that a burst has made long comes from a store that all links share, and goes back there: a burst should not allocate,
// and a channel that is idle should hold little.
// The longest is for as many small messages as a channel may be ahead with.
const (
	shortQueue   = 32
	longQueue    = 1024
	longestQueue = 8192
)

var (
	longQueues    = sync.Pool{New: func() any { q := make([]inMsg, 0, longQueue); return &q }}
	longestQueues = sync.Pool{New: func() any { q := make([]inMsg, 0, longestQueue); return &q }}
)

// push queues a message for the channel's handler. Call it with link.mu held.
func (ch *inChan) push(m inMsg) {
	if n := len(ch.queue); n == cap(ch.queue) && n >= shortQueue && n < longestQueue {
		store := &longQueues
		if n >= longQueue {
			store = &longestQueues
		}
		old := ch.queue
		ch.queue = append(*store.Get().(*[]inMsg), old...)
		clear(old)
		_ = shortened(old)
	}
	ch.queue = append(ch.queue, m)
}

// shorten gives long queues back when the channel's handlers have nothing to do any more. Call it with link.mu held.
func (ch *inChan) shorten() {
	ch.spare = shortened(ch.spare)
	if len(ch.queue) == 0 {
		ch.queue = shortened(ch.queue)
	}
}

// shortened is the queue if it is a short one. What it held must have been cleared.
func shortened(q []inMsg) []inMsg {
	switch c := cap(q); {
	case c == longQueue:
		q = q[:0]
		longQueues.Put(&q)
		return nil
	case c == longestQueue:
		q = q[:0]
		longestQueues.Put(&q)
		return nil
	case c > 2*shortQueue:
		return nil
	}
	return q
}
