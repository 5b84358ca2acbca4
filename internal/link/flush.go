package link

import (
	"context"
	"slices"

	"github.com/pysock/pysock/internal/wire"
)

// Flush waits until the application at the other end has taken every message sent before, but for
// those of SendGroup and TrySend to groups, which are others'. It stops at the end of ctx or of the
// link. The refusal of a channel ends it with an *channel.Error, unless a caller has been told of
// that refusal before.
func (l *Link) Flush(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ch := range l.outByID {
		if ch.gate != nil {
			if err := l.awaitGate(ctx, ch); err != nil {
				return err
			}
		}
	}
	type target struct {
		ch    *outChan
		total uint64
	}
	var targets []target
	for _, ch := range l.outByID {
		if ch.seen || ch.kind == wire.KindGroup {
			continue
		}
		if ch.credit.Taken < ch.pushed {
			targets = append(targets, target{ch, ch.pushed})
			l.want(ch, ch.pushed)
		} else if l.owns && ch.book.pending() > 0 {
			if err := l.refusal(ch); err != nil {
				return err // it came before what was to be sent again was
			}
		}
	}
	for _, t := range targets {
		if err := l.awaitTotal(ctx, t.ch, t.total); err != nil {
			return err
		}
	}
	return nil
}

// want asks to be told when so much of what was sent on the channel has been taken. Call it with mu held.
func (l *Link) want(ch *outChan, total uint64) {
	if n := len(ch.wanted); n == 0 || ch.wanted[n-1] < total {
		ch.wanted = append(ch.wanted, total)
	} else if i, there := slices.BinarySearch(ch.wanted, total); !there {
		ch.wanted = slices.Insert(ch.wanted, i, total)
	}
	l.probe(ch)
}

// probe sends a PROBE for the lowest total that somebody waits for. There is one at a time, because
// a later one would replace it, and who waits for the lower total would wait for the higher. Call
// it with mu held.
func (l *Link) probe(ch *outChan) {
	for len(ch.wanted) > 0 && ch.wanted[0] <= ch.credit.Taken {
		ch.wanted = ch.wanted[1:]
	}
	if len(ch.wanted) == 0 {
		ch.wanted = nil
		return
	}
	if l.state != stateOpen || ch.isRefused() || ch.probed > ch.credit.Taken && ch.probed <= ch.wanted[0] {
		return
	}
	ch.probed = ch.wanted[0]
	var b [wire.HeaderSize + 8]byte
	l.sched.push(&ch.lane, wire.AppendProbe(b[:0], ch.id, ch.probed), nil)
	l.startWriter()
}
