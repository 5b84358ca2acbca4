package link

import (
	"slices"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
)

// queued is what waits in a channel's queue: a message, credit that the sender skips, or a pack of
// messages, with what is skipped behind them as its cost.
type queued struct {
	msg  *channel.Message
	req  *inRequest
	pack *pack
	cost uint64
}

func (m *inMsg) queued() queued { return queued{msg: m.msg, req: m.req, cost: m.cost} }

// A channel's queue that a burst has made long comes from a store that all links share, and goes
// back there: a burst should not allocate, and a channel that is idle should hold little. The
// second length is for as many empty messages as every channel is guaranteed, so that these cost no
// more than they must; the longest is for as many as a channel may be ahead with.
const (
	shortQueue      = 32
	longQueue       = 1024
	guaranteedQueue = flow.Guaranteed / wire.MessageOverhead
	longestQueue    = 8192
)

// queueStores are the stores of long queues, by their lengths, ascending.
var queueStores = [...]*sync.Pool{queueStore(longQueue), queueStore(guaranteedQueue), queueStore(longestQueue)}

func queueStore(length int) *sync.Pool {
	return &sync.Pool{New: func() any { q := make([]queued, 0, length); return &q }}
}

var queueLengths = [...]int{longQueue, guaranteedQueue, longestQueue}

// push queues a message for the channel's handler. Call it with link.mu held.
func (ch *inChan) push(m inMsg) { ch.enqueue(m.queued()) }

func (ch *inChan) enqueue(e queued) {
	if n := len(ch.queue); n == cap(ch.queue) && n >= shortQueue && n < longestQueue {
		next := 0
		for queueLengths[next] <= n {
			next++
		}
		old := ch.queue
		ch.queue = append(*queueStores[next].Get().(*[]queued), old...)
		clear(old)
		_ = shortened(old)
	}
	ch.queue = append(ch.queue, e)
}

// shorten gives long queues back when the channel's handlers have nothing to do any more. Call it with link.mu held.
func (ch *inChan) shorten() {
	ch.spare = shortened(ch.spare)
	if len(ch.queue) == 0 {
		ch.queue = shortened(ch.queue)
	}
}

// shortened is the queue if it is a short one. What it held must have been cleared.
func shortened(q []queued) []queued {
	if i := slices.Index(queueLengths[:], cap(q)); i >= 0 {
		q = q[:0]
		queueStores[i].Put(&q)
		return nil
	}
	if cap(q) > 2*shortQueue {
		return nil
	}
	return q
}
