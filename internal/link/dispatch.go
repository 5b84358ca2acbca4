package link

import (
	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// The stations of a message that arrives, and what guards it there:
//
//	inChan.part     while more of its frames are to come         Link.bodies
//	inChan.pack     small, with others of the same read, if its  Link.bodies
//	                channel has a handler
//	inChan.queue    until its channel's goroutine is free        Link.mu
//	inChan.batch    taken from queue, which the goroutine then   batch.mu; the pack that it is at is the
//	                goes through; spare is the emptied slice     goroutine's alone (batch.pack)
//	handler         counted as taken when its turn comes         inChan.taken, which is atomic
//
// Of a channel without a handler it goes from part to Link.pulled instead, which Link.mu guards, until Receive takes
// it, or a handler comes and sweep has it go to queue.

// Run lets messages go to their handlers from now on, those first that have been held. A channel
// that has no handler is refused, unless Receive was called, which then gets it.
func (l *Link) Run() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dispatch {
		return
	}
	l.dispatch = true
	l.sweep()
}

// arrived takes a whole message from the reader. What has no handler is held for Receive, or
// refused if nobody receives.
func (l *Link) arrived(m inMsg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh()
	l.queueArrived(m)
}

// queueArrived puts a message where it waits to be taken. Call it with mu held.
func (l *Link) queueArrived(m inMsg) {
	ch := m.ch
	switch {
	case l.ignoresInput.Load(): // it ended while the message was put together
	case ch.refused.Load():
		l.drop(m.req)
	case l.route(ch) != nil:
		ch.pulled, ch.asOf = false, ch.routeKnown
		ch.push(m)
		l.settle(ch)
	case ch.kind == wire.KindService || l.dispatch && !l.pulling:
		l.refuse(ch, wire.Reason{Code: wire.CodeNoHandler})
		l.drop(m.req)
	default:
		ch.pulled = true
		l.pull(m)
	}
}

// skipped takes credit that the sender gives back. It counts as taken when all that came before it
// is. It joins the last message that waits, so that it costs no memory.
func (l *Link) skipped(ch *inChan, amount uint64) {
	l.mu.Lock()
	l.refresh()
	last := l.pulled.held(ch)
	switch n := len(ch.queue); {
	case ch.refused.Load():
	case last != nil:
		last.cost += amount
	case n > 0:
		ch.queue[n-1].cost += amount
	case ch.busy:
		ch.push(inMsg{ch: ch, cost: amount})
	default:
		l.mu.Unlock()
		ch.tookNow(amount)
		return
	}
	l.mu.Unlock()
}

// refresh lets the messages that are held for Receive go to handlers that were registered
// meanwhile. Call it with mu held.
func (l *Link) refresh() {
	if l.cfg.Mux.Version() != l.muxVersion {
		l.sweep()
	}
}

// sweep sorts what is held for Receive anew, after handlers were registered or Run was called. Call it with mu held.
func (l *Link) sweep() {
	l.muxVersion = l.cfg.Mux.Version()
	held := l.pulled.take()
	front := make(map[*inChan][]queued)
	for _, m := range held {
		switch {
		case m.ch.refused.Load():
			l.drop(m.req)
		case l.route(m.ch) != nil:
			front[m.ch] = append(front[m.ch], m.queued())
		case l.dispatch && !l.pulling:
			l.refuse(m.ch, wire.Reason{Code: wire.CodeNoHandler})
			l.drop(m.req)
		default:
			l.pulled.push(m)
		}
	}
	for ch, earlier := range front {
		ch.queue = append(earlier, ch.queue...)
	}
	for _, ch := range l.in {
		l.settle(ch)
	}
}

// route looks the channel's handler up, if handlers have been registered since it last did. Call it with mu held.
func (l *Link) route(ch *inChan) *channel.Route {
	if v := ch.mux.Version() + 1; ch.routeKnown != v {
		ch.route, ch.routeKnown = ch.mux.Route(ch.name), v
		if ch.route != nil {
			ch.handler = ch.route
		}
	}
	return ch.route
}
