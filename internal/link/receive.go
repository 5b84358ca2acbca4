package link

import (
	"context"

	"github.com/pysock/pysock/channel"
)

// pullQueue holds, in the order of their arrival, the messages that Receive returns.
type pullQueue struct {
	q      []inMsg
	head   int
	popped uint64 // how many messages have left in all
}

func (p *pullQueue) push(m inMsg) {
	p.q = append(p.q, m)
	m.ch.heldAt = p.popped + uint64(len(p.q)-p.head)
}

// held is the last message of the channel that waits, nil if there is none.
func (p *pullQueue) held(ch *inChan) *inMsg {
	if ch.heldAt <= p.popped {
		return nil
	}
	return &p.q[p.head+int(ch.heldAt-p.popped-1)]
}

func (p *pullQueue) pop() (inMsg, bool) {
	if p.head == len(p.q) {
		return inMsg{}, false
	}
	m := p.q[p.head]
	p.q[p.head] = inMsg{}
	p.head++
	p.popped++
	switch {
	case p.head == len(p.q) && cap(p.q) > 64:
		p.q, p.head = nil, 0
	case p.head == len(p.q):
		p.q, p.head = p.q[:0], 0
	case p.head > 1024 && p.head > len(p.q)/2:
		n := copy(p.q, p.q[p.head:])
		clear(p.q[n:])
		p.q, p.head = p.q[:n], 0
	}
	return m, true
}

// take empties the queue.
func (p *pullQueue) take() []inMsg {
	q := p.q[p.head:]
	*p = pullQueue{popped: p.popped + uint64(len(q))}
	return q
}

// pull queues a message for Receive. Call it with mu held.
func (l *Link) pull(m inMsg) {
	l.pulled.push(m)
	if l.receivers != nil {
		close(l.receivers)
		l.receivers = nil
	}
}

// Pull lets messages of channels that have no handler wait for Receive from now on, and those of channels that have one go there, as Receive does.
func (l *Link) Pull() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pulling = true
	if !l.dispatch {
		l.dispatch = true
		l.sweep()
	}
}

// Receive waits for the next message of a channel that has no handler; those of channels that have one go there from now on, as
// after Run. After the other side has closed, or the connection was lost, it first returns what had arrived; after a Close
// of this side it returns channel.ErrClosed.
func (l *Link) Receive(ctx context.Context) (*channel.Message, error) {
	l.Pull()
	l.mu.Lock()
	for {
		l.refresh()
		if l.err == channel.ErrClosed {
			l.mu.Unlock()
			return nil, channel.ErrClosed
		}
		m, ok := l.pulled.pop()
		if ok {
			due, open := m.ch.took(m.cost)
			given := open && m.claim() // with mu held, so that it is in order
			if due {
				m.ch.report()
				l.kick()
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
		if l.receivers == nil {
			l.receivers = make(chan struct{})
		}
		wake := l.receivers
		l.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		l.mu.Lock()
	}
}
