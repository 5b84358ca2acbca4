package link

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// handlerGrace is how long handlers may go on after the other side has
// closed the link in an orderly way: what arrived before is still handled.
const handlerGrace = 10 * time.Second

// settle starts the channel's handlers if they may be called, messages wait for them and none runs.
// Call it with mu held.
func (l *Link) settle(ch *inChan) {
	if ch.busy || !l.mayHandle(ch) || ch.refused.Load() || l.noMoreHandlers.Load() || len(ch.queue) == 0 {
		return
	}
	ch.busy = true
	l.running++
	l.wg.Add(1)
	go ch.handleAll() // stops when the channel's queue is empty or the link cut
}

// mayHandle reports whether the time of a channel's handlers has come. Call it with mu held.
func (l *Link) mayHandle(ch *inChan) bool {
	return l.dispatch && !l.held || l.cfg.ServicesAtOnce && ch.kind == wire.KindService
}

// handleAll calls the channel's handler for its messages until there are none. A message counts as
// taken when its handler begins.
func (l *Link) handleAll(ch *inChan) {
	returned := false
	defer func() {
		if !returned {
			l.goOn(ch)
		}
		l.wg.Done()
	}()
	for {
		l.mu.Lock()
		route := ch.handler
		if len(ch.queue) == 0 || l.noMoreHandlers.Load() || l.handlers.Err() != nil {
			ch.busy = false
			ch.shorten()
			l.handlerStopped()
			l.mu.Unlock()
			returned = true
			return
		}
		ch.batch.fill(ch.queue)
		ch.queue, ch.spare = ch.spare[:0], nil
		l.mu.Unlock()

		switch {
		case route.Concurrent <= 1:
			ch.limit = nil
		case cap(ch.limit) != route.Concurrent:
			ch.limit = make(chan struct{}, route.Concurrent)
		}
		limit := ch.limit
		m := inMsg{ch: ch}
		for ch.batch.next(&m) {
			if l.noMoreHandlers.Load() || l.handlers.Err() != nil {
				break
			}
			if limit == nil || m.msg == nil {
				if given, _ := ch.take(&m); given {
					l.handle(route, &m)
				}
				continue
			}
			select {
			case limit <- struct{}{}:
			case <-l.handlers.Done():
				continue
			}
			given, open := ch.take(&m)
			if !given {
				<-limit
			}
			if !open {
				break
			}
			if !given {
				continue
			}
			l.mu.Lock()
			l.running++
			l.mu.Unlock()
			l.wg.Add(1)
			go l.handleOne(route, m, limit) // stops when the handler returns
		}
		spare, _ := ch.batch.takeAll()
		l.mu.Lock()
		ch.spare = spare
		l.mu.Unlock()
	}
}

// goOn lets another goroutine call the channel's handler when one has ended its own by
// runtime.Goexit, as t.FailNow does.
func (l *Link) goOn(ch *inChan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, rest := ch.batch.takeAll()
	ch.queue = append(rest, ch.queue...)
	ch.busy = false
	l.settle(ch)
	l.handlerStopped()
}

// handleOne calls the handler of a concurrent channel for one message.
func (l *Link) handleOne(route *channel.Route, m inMsg, limit <-chan struct{}) {
	defer l.wg.Done()
	defer func() {
		<-limit
		l.mu.Lock()
		l.handlerStopped()
		l.mu.Unlock()
	}()
	l.handle(route, &m)
}

// handlerStopped counts a goroutine that runs handlers out. Call it with mu held.
func (l *Link) handlerStopped() {
	l.running--
	if l.running > 0 {
		return
	}
	if l.state == stateDead && !l.held && !l.awaitsRun() { // else what has arrived is still to be handled, by then or in handlerGrace
		l.cancelHandlers(l.end)
	}
	l.idle.Ring()
}

// Quiesce calls no more handlers, and waits until those that run have returned, or ctx or the link ends. What
// arrives meanwhile is not taken, so its sender knows that it was not.
func (l *Link) Quiesce(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noMoreHandlers.Store(true)
	l.awaitIdle(ctx.Done(), l.ctx.Done())
}

// awaitIdle waits until no handlers run. It reports false if one of the two channels, which may be nil, was closed
// before. Call it with mu held; it lets go of it while it waits.
func (l *Link) awaitIdle(stop, end <-chan struct{}) bool {
	for l.running > 0 {
		idle := l.idle.Wait()
		l.mu.Unlock()
		select {
		case <-idle:
		case <-stop:
		case <-end:
		}
		l.mu.Lock()
		select {
		case <-stop:
			return false
		case <-end:
			return false
		default:
		}
	}
	return true
}

// awaitsRun reports whether messages have arrived that Run would give to handlers. Call it with mu held.
func (l *Link) awaitsRun() bool {
	return !l.dispatch && slices.ContainsFunc(l.in, func(ch *inChan) bool { return len(ch.queue) > 0 })
}

// endHandlers ends the handlers' ctx when the link has ended: at once, or, if the other side said that it would, after
// they had time for what has arrived.
func (l *Link) endHandlers(cause error, byPeer bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !byPeer || l.running == 0 && !l.held && !l.awaitsRun() {
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
func (l *Link) handle(route *channel.Route, m *inMsg) {
	if cost, large := m.large(); large {
		defer m.ch.handed(cost)
	}
	ctx := l.handlers
	if m.req != nil {
		if !m.req.begin(true) {
			return // the asker gave up before its turn came
		}
		ctx = m.req.ctx
		defer m.req.cancel(context.Canceled)
		defer func() { _ = m.req.AnswerError(channel.CodeInternal, "") }() // is ErrAnswered unless the handler ended its goroutine
	}
	err := l.call(ctx, route.Handler, m.msg)
	unheard := "pysock: a handler failed"
	if m.req != nil {
		unheard = m.req.returned(err)
	}
	if err != nil {
		l.failed(m, err, unheard)
	}
}

// call calls the handler; a panic becomes an error.
func (l *Link) call(ctx context.Context, h channel.Handler, msg *channel.Message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &channel.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h(ctx, l.cfg.From, msg)
}

// failed reports a handler's error to the mux's hook. Without one a panic is logged, and as
// unheard, if that is not empty, what nobody else is told of.
func (l *Link) failed(m *inMsg, err error, unheard string) {
	if m.ch.mux.Report(channel.ErrorEvent{Conn: l.cfg.From, Message: m.msg, Err: err}) {
		return
	}
	var panicked *channel.PanicError
	if errors.As(err, &panicked) {
		l.cfg.Logger.Error("pysock: a handler panicked", "channel", m.ch.name, "peer", l.peerName(),
			"panic", fmt.Sprint(panicked.Value), "stack", string(panicked.Stack))
	} else if unheard != "" {
		l.cfg.Logger.Error(unheard, "channel", m.ch.name, "peer", l.peerName(), "error", err)
	}
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
