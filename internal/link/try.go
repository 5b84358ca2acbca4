package link

import (
	"errors"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// ErrFull is returned by TrySend for a message that would have to wait.
var ErrFull = errors.New("the message would have to wait")

// TrySend is Send, or with a group body SendGroup, that never waits, neither for credit nor for
// room in the queue nor for others who wait: it is ErrFull instead. With g nil it sends body, else
// that is of no meaning. With drop such a message counts as left out: the other side is told how
// many were, by a GAP before the next message of the channel that is no request, and finds it in
// that message's Missed. The link keeps the count, so what it has not told when it ends is not told
// at all.
func (l *Link) TrySend(g *GroupBody, name string, enc channel.Encoding, body []byte, drop bool) error {
	if err := checkEncoding(enc); err != nil {
		return err
	}
	m := outMsg{flags: wire.EncodingFlags(uint8(enc)), body: body}
	if g == nil {
		return l.try(wire.KindApplication, name, &m, drop)
	}
	m.body, m.head = g.b, g.head
	return l.try(wire.KindGroup, name, &m, drop)
}

// LeaveOut counts messages as left out on a channel, or on the group channel of that name, as
// TrySend does with drop. On one that cannot be opened it does nothing.
func (l *Link) LeaveOut(group bool, name string, n uint64) {
	kind := wire.KindApplication
	if group {
		kind = wire.KindGroup
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != stateOpen {
		return
	}
	if ch, err := l.outChannel(kind, name); err == nil {
		ch.left += n
	}
}

func (l *Link) try(kind wire.Kind, name string, m *outMsg, drop bool) error {
	if err := l.fits(m); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != stateOpen {
		return l.failure()
	}
	ch, err := l.outChannel(kind, name)
	if err != nil {
		return err
	}
	if ch.gate == nil {
		if err := l.refusal(ch); err != nil {
			return err
		}
	}
	m.left = ch.left
	at := ch.credit.Sent
	if ch.gate != nil || ch.pushed != at || l.sched.full(&ch.lane, len(m.body)) || !ch.credit.Reserve(m.cost()) {
		if drop {
			ch.left++
		}
		return ErrFull
	}
	return l.queueReserved(ch, m, at, false)
}

// tellLeft queues GAP for what was left out before a message. Call it with mu held.
func (l *Link) tellLeft(ch *outChan, left uint64) {
	var b [wire.HeaderSize + 8]byte
	l.sched.push(&ch.lane, wire.AppendGap(b[:0], ch.id, left-ch.told), nil)
	ch.told = left
}
