package link

import "sync"

// A channel's queue that a burst has made long comes from a store that all links share, and goes back there: a burst should not allocate,
// and a channel that is idle should hold little.
const (
	shortQueue = 32
	longQueue  = 1024
)

var longQueues = sync.Pool{New: func() any { q := make([]inMsg, 0, longQueue); return &q }}

// push queues a message for the channel's handler. Call it with link.mu held.
func (ch *inChan) push(m inMsg) {
	if n := len(ch.queue); n == cap(ch.queue) && n >= shortQueue && n < longQueue {
		long := *longQueues.Get().(*[]inMsg)
		ch.queue = append(long, ch.queue...)
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
	case c > 2*shortQueue:
		return nil
	}
	return q
}
