package link

import (
	"context"

	"github.com/pysock/pysock/internal/wire"
)

// Flush waits until the application at the other end has taken every message sent before. It stops at the end of ctx or of the
// link. The refusal of a channel ends it with an *channel.Error, unless a caller has been told of that refusal before.
func (l *Link) Flush(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	type target struct {
		ch    *outChan
		total uint64
	}
	var targets []target
	for _, ch := range l.outByID {
		if ch.credit.Taken < ch.pushed && !ch.seen {
			targets = append(targets, target{ch, ch.pushed})
			l.want(ch)
		}
	}
	for _, t := range targets {
		for t.ch.credit.Taken < t.total {
			if err := t.ch.refusal(); err != nil {
				return err
			}
			if l.state != stateOpen {
				return l.failure()
			}
			if t.ch.changed == nil {
				t.ch.changed = make(chan struct{})
			}
			if err := l.await(ctx, t.ch.changed); err != nil && t.ch.credit.Taken < t.total {
				return err
			}
		}
	}
	return nil
}

// want asks to be told when all that was sent on the channel has been taken. Call it with mu held.
func (l *Link) want(ch *outChan) {
	if n := len(ch.wanted); n == 0 || ch.wanted[n-1] < ch.pushed {
		ch.wanted = append(ch.wanted, ch.pushed)
	}
	l.probe(ch)
}

// probe sends a PROBE for the lowest total that somebody waits for. There is one at a time, because a later one would replace it, and
// who waits for the lower total would wait for the higher. Call it with mu held.
func (l *Link) probe(ch *outChan) {
	for len(ch.wanted) > 0 && ch.wanted[0] <= ch.credit.Taken {
		ch.wanted = ch.wanted[1:]
	}
	if len(ch.wanted) == 0 {
		ch.wanted = nil
		return
	}
	if l.state != stateOpen || ch.isRefused() || ch.probed > ch.credit.Taken {
		return
	}
	ch.probed = ch.wanted[0]
	var b [wire.HeaderSize + 8]byte
	l.sched.push(&ch.lane, wire.AppendProbe(b[:0], ch.id, ch.probed), nil)
	l.kick()
}
