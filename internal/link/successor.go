package link

import (
	"context"
	"errors"

	"github.com/pysock/pysock/channel"
)

// errSuperseded ends a link whose books a newer one has taken over.
var errSuperseded = errors.New("a newer connection has taken its place")

// succeed lets a link that was just made wait with its handlers until those of the older one with the same books have returned.
func (l *Link) succeed(older *Link) {
	l.held = true
	l.free = make(chan struct{})
	l.wg.Add(1)
	go func() { // stops when the older one's handlers have returned; their ctx has ended, or will in handlerGrace
		defer l.wg.Done()
		older.hangUp()
		if older.free != nil {
			<-older.free
		}
		older.awaitHandlers()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = false
		close(l.free)
		for _, ch := range l.in {
			if l.dispatch {
				l.settle(ch)
			}
		}
		if l.running == 0 && l.state == stateDead {
			l.cancelHandlers(l.end)
		}
	}()
}

// retire ends a link for the sake of a newer one, without waiting for anything. What it has said or is saying about its end is still said. It takes no more messages,
// but for those that came before an orderly close by the other side. It reports whether the link's handlers, or those that it waits for, still run.
func (l *Link) retire() (busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	busy = l.running > 0 || l.held
	if l.state == stateOpen {
		l.lose(errSuperseded)
		l.state = stateDead
		l.deaf.Store(true)
		l.wakeAll()
		busy = true // its connection is to be closed too
	}
	if !l.closedByPeer() {
		l.freeze()
		l.dropArrived()
	}
	if !busy || !l.closedByPeer() {
		l.quiet.Store(true)
	}
	return busy
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

// awaitHandlers waits until no handlers run, and lets none begin after that.
func (l *Link) awaitHandlers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.running > 0 {
		if l.idle == nil {
			l.idle = make(chan struct{})
		}
		idle := l.idle
		l.mu.Unlock()
		<-idle
		l.mu.Lock()
	}
	l.quiet.Store(true)
}

// freeze lets nothing be taken any more. Call it with mu held.
func (l *Link) freeze() {
	for _, ch := range l.in {
		ch.taken.Or(frozen)
	}
}

// finish notes why the link ends, with what is to be told of messages that are not known to have been taken: of those that were sent until now, and only if
// it is not we who close. Call it with mu held.
func (l *Link) finish(err error) {
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
