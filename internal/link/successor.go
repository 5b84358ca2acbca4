package link

import (
	"context"
	"errors"

	"github.com/pysock/pysock/channel"
)

// errSuperseded ends a link whose books a newer one has taken over.
var errSuperseded = errors.New("a newer connection has taken its place")

// hold has a link that was just made wait with its handlers until those of ahead have returned.
// Call it with the books' mu held.
func (l *Link) hold(ahead *Link) {
	l.held, l.ahead, l.displaced = true, ahead, make(chan struct{})
}

// succeed ends the connection of the older link with the same books, and sees to it that l is held
// no longer than until the handlers of ahead have returned: of the older link, or of the one that
// this was still waiting for.
func (l *Link) succeed(older, ahead *Link) {
	l.wg.Add(1)
	go func() { // stops when ahead's handlers have returned, whose ctx has ended or will in handlerGrace, or a newer link takes l's place
		defer l.wg.Done()
		older.hangUp()
		if ahead.awaitHandlers(l.displaced) {
			l.unhold()
		}
	}()
}

// unhold lets the handlers of a link begin that waited.
func (l *Link) unhold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held {
		return // it was displaced just now
	}
	l.held, l.ahead = false, nil
	for _, ch := range l.in {
		l.settle(ch)
	}
	if l.running == 0 && l.state == stateDead {
		l.cancelHandlers(l.end)
	}
}

// retire ends a link for the sake of a newer one, without waiting for anything. What it has said or
// is saying about its end is still said. It takes no more messages, but for those that came before
// an orderly close by the other side. It returns the link whose handlers a newer one must wait for,
// nil if there is none.
//
// A link whose handlers still wait for those of another is displaced: however often the other side
// comes anew while one handler does not return, there is that one, and the newest that waits for
// it. What arrived on it is not taken, also if the other side has closed it.
func (l *Link) retire() (ahead *Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	busy := l.running > 0
	if l.state == stateOpen {
		l.noteEnd(errSuperseded)
		l.state = stateDead
		l.ignoresInput.Store(true)
		l.wakeAll()
		busy = true // its connection is to be closed too
	}
	if l.held {
		ahead = l.ahead
		l.held, l.ahead = false, nil
		close(l.displaced)
		l.takeNoMore()
		l.noMoreHandlers.Store(true)
		l.cancelHandlers(l.end)
		return ahead
	}
	if !l.closedByPeer() {
		l.takeNoMore()
	}
	if !busy || !l.closedByPeer() {
		l.noMoreHandlers.Store(true)
	}
	if busy {
		return l
	}
	return nil
}

// takeNoMore lets nothing more be taken. Call it with mu held.
func (l *Link) takeNoMore() {
	l.freeze()
	l.dropArrived()
}

// Retire lets nothing more be taken of a link that is lost, after another has taken its place.
func (l *Link) Retire() { l.retire() }

// hangUp closes the connection of a link that was retired while it was open.
func (l *Link) hangUp() {
	l.mu.Lock()
	end := l.end
	l.mu.Unlock()
	if errors.Is(end, errSuperseded) { // else it goes by itself, with what it has still to say
		l.conn.Close()
		l.cancelHandlers(end)
	}
}

// awaitHandlers waits until no handlers run, and lets none begin after that. It reports false if
// stop was closed before.
func (l *Link) awaitHandlers(stop <-chan struct{}) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.awaitIdle(stop, nil) {
		return false
	}
	l.noMoreHandlers.Store(true)
	return true
}

// Idle reports whether no handler runs, nor one of an older link that handlers wait for.
func (l *Link) Idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running == 0 && !l.held
}

// freeze lets nothing be taken any more. Call it with mu held.
func (l *Link) freeze() {
	for _, ch := range l.in {
		ch.taken.Or(frozen)
	}
}

// setEnd notes why the link ends, with what is to be told of messages that are not known to have
// been taken: of those that were sent until now, and only if it is not we who close. Call it with
// mu held.
func (l *Link) setEnd(err error) {
	if l.owns {
		l.owns = false
		if l.books.pending() > 0 {
			l.gap = l.books.gap(nil)
		}
	}
	l.end, l.err = err, err
	if l.gap != nil && err != channel.ErrClosed {
		g := *l.gap
		g.Err = err
		l.err = &g
	}
}

// closedByPeer reports whether the other side has ended the link in an orderly way. Call it with mu held.
func (l *Link) closedByPeer() bool {
	_, ok := l.end.(*channel.CloseError)
	return ok
}

// Ended reports whether err, which a method of the link has returned, is the link's end: then nothing else was wrong.
func (l *Link) Ended(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state != stateOpen && err != nil && (err == l.err || err == l.end || err == context.Cause(l.ctx))
}
