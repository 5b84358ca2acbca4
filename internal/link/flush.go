package link

import (
	"context"

	"github.com/pysock/pysock/internal/wire"
)

// Flush waits until the application at the other end has taken every message sent before. A refused channel ends it with the refusal.
func (l *Link) Flush(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	type target struct {
		ch    *outChan
		total uint64
	}
	var targets []target
	for _, ch := range l.outByID {
		if ch.credit.Taken >= ch.pushed {
			continue
		}
		targets = append(targets, target{ch, ch.pushed})
		l.probe(ch)
	}
	for _, t := range targets {
		for t.ch.credit.Taken < t.total {
			if !t.ch.seen {
				if err := t.ch.refusal(); err != nil {
					return err
				}
			} else {
				break // a caller has been told that what was sent on this channel is lost
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

// probe asks to be told when all that was sent on the channel has been taken. Call it with mu held.
func (l *Link) probe(ch *outChan) {
	if l.state != stateOpen || ch.probed >= ch.pushed {
		return
	}
	ch.probed = ch.pushed
	var b [wire.HeaderSize + 8]byte
	l.sched.push(&ch.lane, wire.AppendProbe(b[:0], ch.id, ch.probed), nil)
	l.kick()
}
