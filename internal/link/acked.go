package link

import (
	"context"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// A Receipt is of a message that was queued, for AwaitTaken.
type Receipt struct {
	kind   wire.Kind
	name   string
	book   *outBook
	number uint64

	ch    *outChan // of the link that it was queued on; nil if that does not matter
	total uint64   // taken total of ch when the message is taken
}

// SendAcked is Send, and then waits until the other application has taken the message. When it
// fails the message may have been taken all the same; Begin and AwaitTaken tell whether it was
// queued.
func (l *Link) SendAcked(ctx context.Context, name string, enc channel.Encoding, body []byte) error {
	r, err := l.Begin(ctx, name, enc, body)
	if err != nil {
		return err
	}
	return l.AwaitTaken(ctx, r)
}

// Begin is the Send of SendAcked: when it fails nothing was queued.
func (l *Link) Begin(ctx context.Context, name string, enc channel.Encoding, body []byte) (Receipt, error) {
	if err := checkEncoding(enc); err != nil {
		return Receipt{}, err
	}
	var r Receipt
	err := l.send(ctx, wire.KindApplication, name, &outMsg{flags: wire.EncodingFlags(uint8(enc)), body: body,
		acked: &r})
	return r, err
}

// AwaitTaken waits until the other application has taken the message of a Receipt: one of this
// link, or of an earlier link of the same books, if these keep what was not taken and this link
// sends it again. It stops at the end of ctx or of the link; the refusal of the channel ends it
// with an *channel.Error.
func (l *Link) AwaitTaken(ctx context.Context, r Receipt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.ch != nil && int(r.ch.id) <= len(l.outByID) && l.outByID[r.ch.id-1] == r.ch {
		return l.awaitTotal(ctx, r.ch, r.total)
	}
	for {
		ch, err := l.pendingOn(r)
		if ch == nil || err != nil {
			return err
		}
		if ch.gate != nil {
			if err := l.awaitGate(ctx, ch); err != nil {
				return err
			}
			continue
		}
		if err := l.refusal(ch); err != nil {
			return err
		}
		total := ch.totalOf(r.number)
		l.want(ch, total)
		return l.awaitTotal(ctx, ch, total)
	}
}

// pendingOn gives the channel whose message is not known to have been taken; nil, and what became
// of it, if it is not pending any more. Call it with mu held.
func (l *Link) pendingOn(r Receipt) (*outChan, error) {
	switch {
	case !l.owns:
		return nil, l.failure()
	case r.number >= r.book.first():
		return l.out[r.kind][r.name], nil
	case r.book.gaveFrom <= r.number && r.number < r.book.gaveTo:
		return nil, refused(r.name, r.book.gaveCode)
	}
	return nil, nil
}

// totalOf is the channel's taken total when a message that is under way has been taken. Call it with mu held.
func (ch *outChan) totalOf(number uint64) uint64 {
	return ch.pushed - ch.costs.behind(ch.book.next-1-number)
}

// awaitTotal waits until the channel's taken total has come so far. Call it with mu held; it lets
// go of it while it waits.
func (l *Link) awaitTotal(ctx context.Context, ch *outChan, total uint64) error {
	for ch.credit.Taken < total {
		if err := l.refusal(ch); err != nil {
			return err
		}
		if l.state != stateOpen {
			return l.failure()
		}
		if err := l.await(ctx, ch.changed.Wait()); err != nil && ch.credit.Taken < total {
			return err
		}
	}
	return nil
}

// awaitGate waits until what the books kept of the channel has been sent again. Call it with mu
// held; it lets go of it while it waits.
func (l *Link) awaitGate(ctx context.Context, ch *outChan) error {
	for ch.gate != nil {
		if l.state != stateOpen {
			return l.failure()
		}
		if err := l.await(ctx, ch.gate); err != nil {
			return err
		}
	}
	return nil
}
