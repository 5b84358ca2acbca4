package link

import (
	"context"
	"slices"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// receiver is a Receive that waits.
type receiver struct {
	channels []string      // none: any
	wake     chan struct{} // closed when a message of these can be received, or none will be any more
}

// pull queues a message for Receive. Call it with mu held.
func (l *Link) pull(m inMsg) {
	l.pulled.push(m)
	waiting := l.receivers[:0]
	for _, r := range l.receivers {
		if len(r.channels) == 0 || slices.Contains(r.channels, m.ch.name) {
			close(r.wake)
		} else {
			waiting = append(waiting, r)
		}
	}
	clear(l.receivers[len(waiting):])
	l.receivers = waiting
}

// wakeReceivers wakes all that wait. Call it with mu held.
func (l *Link) wakeReceivers() {
	for _, r := range l.receivers {
		close(r.wake)
	}
	l.receivers = nil
}

// Pull lets messages of channels that have no handler wait for Receive from now on, and those of
// channels that have one go there, as Receive does.
func (l *Link) Pull() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pulling = true
	if !l.dispatch {
		l.dispatch = true
		l.sweep()
	}
}

// Receive waits for the next message of a channel that has no handler, and of one of these
// channels, if any are named; those of channels that have a handler go there from now on, as after
// Run. What waits on others delays nobody: each channel has credit of its own. Of several that wait
// for the same channel one gets the message, and no two the same.
//
// After the other side has closed, or the connection was lost, it first returns what had arrived;
// after a Close of this side it returns channel.ErrClosed.
func (l *Link) Receive(ctx context.Context, channels ...string) (*channel.Message, error) {
	l.Pull()
	l.mu.Lock()
	for {
		l.refresh()
		if l.err == channel.ErrClosed {
			l.mu.Unlock()
			return nil, channel.ErrClosed
		}
		m, ok := l.nextPulled(channels)
		if ok {
			due, open := m.ch.took(m.cost)
			given := open && m.claim() // with mu held, so that it is in order
			if due {
				m.ch.report()
				l.startWriter()
			}
			l.mu.Unlock()
			if given && (m.req == nil || m.req.begin(false)) {
				return m.msg, nil
			}
			l.mu.Lock()
			continue
		}
		if l.state == stateDead {
			defer l.mu.Unlock()
			return nil, l.failure()
		}
		r := &receiver{channels: slices.Clone(channels), wake: make(chan struct{})}
		l.receivers = append(l.receivers, r)
		l.mu.Unlock()
		select {
		case <-r.wake:
		case <-ctx.Done():
			l.mu.Lock()
			defer l.mu.Unlock()
			l.receivers = slices.DeleteFunc(l.receivers, func(x *receiver) bool { return x == r })
			return nil, context.Cause(ctx)
		}
		l.mu.Lock()
	}
}

// nextPulled takes the message that came first of those of the channels, or of all. Call it with mu held.
func (l *Link) nextPulled(channels []string) (inMsg, bool) {
	if len(channels) == 0 {
		return l.pulled.pop()
	}
	var first *inChan
	for _, ch := range l.in {
		if ch.kind != wire.KindService && l.pulled.holds(ch) && (first == nil || ch.firstAt < first.firstAt) &&
			slices.Contains(channels, ch.name) {
			first = ch
		}
	}
	if first == nil {
		return inMsg{}, false
	}
	return l.pulled.popOf(first), true
}
