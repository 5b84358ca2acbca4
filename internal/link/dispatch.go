package link

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// handlerGrace is how long handlers may go on after the other side has
// closed the link in an orderly way: what arrived before is still handled.
const handlerGrace = 10 * time.Second

// Run lets messages go to their handlers from now on, those first that have been held. A channel that has no handler is refused,
// unless Receive was called, which then gets it.
func (l *Link) Run() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dispatch {
		return
	}
	l.dispatch = true
	l.sweep()
	for _, ch := range l.in {
		l.settle(ch)
	}
}

// arrived takes a whole message from the reader. What has no handler is held for Receive, or refused if nobody receives.
func (l *Link) arrived(m inMsg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := m.ch
	switch {
	case ch.refused:
		l.drop(m)
	case l.route(ch) != nil:
		ch.queue = append(ch.queue, m)
		if l.dispatch {
			l.settle(ch)
		}
	case l.dispatch && !l.pulling:
		l.refuse(ch, wire.Reason{Code: wire.CodeNoHandler})
		l.drop(m)
	default:
		l.pull(m)
	}
}

// sweep sorts what is held for Receive anew, after handlers were registered or Run was called. Call it with mu held.
func (l *Link) sweep() {
	l.muxVersion = l.cfg.Mux.Version()
	held := l.pulled.take()
	front := make(map[*inChan][]inMsg)
	for _, m := range held {
		switch {
		case m.ch.refused:
			l.drop(m)
		case l.route(m.ch) != nil:
			front[m.ch] = append(front[m.ch], m)
		case l.dispatch && !l.pulling:
			l.refuse(m.ch, wire.Reason{Code: wire.CodeNoHandler})
			l.drop(m)
		default:
			l.pulled.push(m)
		}
	}
	for ch, earlier := range front {
		ch.queue = append(earlier, ch.queue...)
	}
}

// route looks the channel's handler up, if handlers have been registered since it last did. Call it with mu held.
func (l *Link) route(ch *inChan) *channel.Route {
	if v := l.cfg.Mux.Version() + 1; ch.routeKnown != v {
		ch.route, ch.routeKnown = l.cfg.Mux.Route(ch.name), v
	}
	return ch.route
}

// settle starts the channel's handlers if messages wait for them and none runs. Call it with mu held.
func (l *Link) settle(ch *inChan) {
	if ch.busy || ch.refused || l.quiet.Load() || len(ch.queue) == 0 {
		return
	}
	ch.busy = true
	l.running++
	l.wg.Add(1)
	go l.handleAll(ch) // stops when the channel's queue is empty or the link cut
}

// handleAll calls the channel's handler for its messages until there are none.
func (l *Link) handleAll(ch *inChan) {
	defer l.wg.Done()
	var limit chan struct{}
	for {
		l.mu.Lock()
		batch, route := ch.queue, ch.route
		if len(batch) == 0 || l.quiet.Load() || l.handlers.Err() != nil {
			ch.busy = false
			if cap(ch.spare) > 64 {
				ch.spare = nil
			}
			l.handlerStopped()
			l.mu.Unlock()
			return
		}
		ch.queue, ch.spare = ch.spare[:0], nil
		l.mu.Unlock()

		if route.Concurrent > 1 && cap(limit) != route.Concurrent {
			limit = make(chan struct{}, route.Concurrent)
		}
		for i, m := range batch {
			batch[i] = inMsg{}
			if l.quiet.Load() || l.handlers.Err() != nil {
				break
			}
			if limit == nil || m.msg == nil {
				ch.took(m.cost)
				l.handle(route, m)
				continue
			}
			select {
			case limit <- struct{}{}:
			case <-l.handlers.Done():
				continue
			}
			ch.took(m.cost)
			l.mu.Lock()
			l.running++
			l.mu.Unlock()
			l.wg.Add(1)
			go func() { // stops when the handler returns
				defer l.wg.Done()
				l.handle(route, m)
				<-limit
				l.mu.Lock()
				l.handlerStopped()
				l.mu.Unlock()
			}()
		}
		l.mu.Lock()
		ch.spare = batch[:0]
		l.mu.Unlock()
	}
}

// handlerStopped counts a goroutine that runs handlers out. Call it with mu held.
func (l *Link) handlerStopped() {
	l.running--
	if l.running > 0 {
		return
	}
	if l.state == stateDead {
		l.cancelHandlers(l.err)
	}
	if l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// endHandlers ends the handlers' ctx when the link has ended: at once, or, if the other side said that it would, after
// they had time for what has arrived.
func (l *Link) endHandlers(cause error, byPeer bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !byPeer || l.running == 0 {
		l.cancelHandlers(cause)
		return
	}
	l.wg.Add(1)
	timer := time.AfterFunc(handlerGrace, func() { l.cancelHandlers(cause) })
	context.AfterFunc(l.handlers, func() {
		timer.Stop()
		l.wg.Done()
	})
}

// handle calls a handler for one message and answers a request that it has left unanswered.
func (l *Link) handle(route *channel.Route, m inMsg) {
	if m.msg == nil {
		return // skipped credit
	}
	ctx := l.handlers
	if m.req != nil {
		if !m.req.begin(true) {
			return // the asker gave up before its turn came
		}
		ctx = m.req.ctx
		defer m.req.cancel(context.Canceled)
	}
	err, panicked := l.call(ctx, route.Handler, m)
	if m.req != nil {
		m.req.returned(err)
		return
	}
	if err != nil && !panicked {
		l.cfg.Logger.Error("pysock: a handler failed", "channel", m.ch.name, "peer", l.cfg.Peer.Name, "error", err)
	}
}

// call calls the handler; a panic becomes an error and is logged with its stack.
func (l *Link) call(ctx context.Context, h channel.Handler, m inMsg) (err error, panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			l.cfg.Logger.Error("pysock: a handler panicked", "channel", m.ch.name, "peer", l.cfg.Peer.Name,
				"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err, panicked = &channel.Error{Code: channel.CodeInternal}, true
		}
	}()
	return h(ctx, l.cfg.From, m.msg), false
}

// answerOf is what the asker is told of a handler's error.
func answerOf(err error) wire.ErrorBody {
	var e *channel.Error
	var code channel.Code
	switch {
	case errors.As(err, &e):
		return wire.ErrorBody{Code: uint16(e.Code), Text: e.Text}
	case errors.As(err, &code):
		return wire.ErrorBody{Code: uint16(code)}
	case errors.Is(err, context.Canceled):
		return wire.ErrorBody{Code: wire.CodeCanceled}
	case errors.Is(err, context.DeadlineExceeded):
		return wire.ErrorBody{Code: wire.CodeTimeout}
	}
	return wire.ErrorBody{Code: wire.CodeFailed, Text: err.Error()}
}
