package link

import (
	"bytes"
	"context"
	"fmt"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// largeBody is from where on a body is cut into frames without the lock.
const largeBody = 4 * wire.MaxPayload

// Send queues a message, of which it keeps no part unless the books keep what is not taken. It
// waits for credit and for room in the queue, not for the network. The error is an *channel.Error
// for a message that is too large or a channel that was refused, ctx's cause, or why the link
// ended; then nothing was queued.
func (l *Link) Send(ctx context.Context, name string, enc channel.Encoding, body []byte) error {
	if err := checkEncoding(enc); err != nil {
		return err
	}
	return l.send(ctx, wire.KindApplication, name, &outMsg{flags: wire.EncodingFlags(uint8(enc)), body: body})
}

// outMsg is a message to be sent.
type outMsg struct {
	flags wire.Flags
	start wire.MessageStart // of a request
	body  []byte
	head  int      // how much of body is a group head, which the application did not give
	left  uint64   // what the channel had left out when it was to be sent
	again bool     // the books have it
	alone bool     // who sends it waits for what it brings, and nobody else does: it writes it itself
	acked *Receipt // to be filled in, for a sender who will wait until it is taken; nil for others
}

func (m *outMsg) cost() uint64 { return uint64(len(m.body)) + wire.MessageOverhead }

// fits reports a message that is too large, in terms of what the application gave.
func (l *Link) fits(m *outMsg) error {
	if m.cost() > uint64(l.cfg.PeerMaxMessage) {
		return tooLarge(len(m.body)-m.head, l.cfg.PeerMaxMessage-uint32(m.head))
	}
	return nil
}

// send sends a message when what the books have of its channel has been sent again.
func (l *Link) send(ctx context.Context, kind wire.Kind, name string, m *outMsg) error {
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
	m.left = ch.left
	if ch.gate != nil {
		if err := l.awaitGate(ctx, ch); err != nil {
			return err
		}
	}
	return l.transmit(ctx, ch, m)
}

// transmit reserves the message's whole credit, of which it uses no more than flow.Ahead says, and
// queues its frames, so that a message that was begun is never cut. Call it with mu held; it lets
// go of it while it waits.
func (l *Link) transmit(ctx context.Context, ch *outChan, m *outMsg) error {
	cost := m.cost()
	if err := l.awaitRoom(ctx, &ch.lane, len(m.body)); err != nil {
		return err
	}
	if err := l.refusal(ch); err != nil {
		return err
	}
	waited := false
	at := ch.credit.Sent
	if !ch.credit.Reserve(cost) {
		var err error
		if at, err = l.awaitCredit(ctx, ch, cost); err != nil {
			return err
		}
		waited = true
	}
	return l.queueReserved(ch, m, at, waited)
}

// queueReserved queues a message whose credit is reserved behind the total at, when its turn comes.
// Call it with mu held.
func (l *Link) queueReserved(ch *outChan, m *outMsg, at uint64, waited bool) error {
	cost := m.cost()
	if err := l.awaitTurn(ch, at); err != nil {
		return err
	}
	plain := m.start.Request == 0
	var kept []byte
	if l.books.keep && plain && !m.again && ch.kind != wire.KindGroup {
		var err error
		if kept, err = l.keep(m.body); err != nil {
			return err
		}
	}
	if m.left > ch.told && plain {
		l.tellLeft(ch, m.left)
	}
	cutter := wire.CutMessage(ch.id, m.flags, m.start, m.body)
	if err := l.queueBody(&ch.lane, &cutter, len(m.body)); err != nil {
		return err
	}
	ch.pushed += cost
	kind := uint32(0)
	if plain {
		kind = numbered
		ch.plain = true
		if kept != nil {
			ch.book.keep(kept, m.flags)
		}
		if !m.again {
			ch.book.next++
		}
	}
	ch.costs.add(cost, kind)
	if runs := ch.costs.runs(); runs >= askRuns {
		if len(ch.wanted) == 0 {
			l.want(ch, ch.pushed)
		}
		ch.credit.Crowd(runs >= maxRuns)
	}
	if m.acked != nil {
		*m.acked = Receipt{kind: ch.kind, name: ch.name, book: ch.book, number: ch.book.next - 1, ch: ch,
			total: ch.pushed}
		l.want(ch, ch.pushed)
	}
	l.moved(ch)
	if waited || len(m.body) > largeBody {
		l.ask(ch) // for who could not be announced before this was queued
	}
	if !m.alone {
		l.startWriter()
	}
	return nil
}

// keep copies the body of a message that the books keep, a large one without the lock. Call it with
// mu held; it fails if the link ends while it lets go of that.
func (l *Link) keep(body []byte) ([]byte, error) {
	if len(body) <= largeBody {
		return append([]byte{}, body...), nil // not nil, also if there is nothing in it
	}
	l.mu.Unlock()
	kept := bytes.Clone(body)
	l.mu.Lock()
	if l.state != stateOpen {
		return nil, l.failure()
	}
	return kept, nil
}

// queueBody cuts a body of n bytes into frames on the lane, a large one without the lock. Its bytes
// count as queued from the start, so that others do not use the same room meanwhile. Call it with
// mu held; it fails if the link ends while it lets go of that.
func (l *Link) queueBody(f *lane, c *wire.Cutter, n int) error {
	if n <= largeBody {
		l.sched.pushAll(f, c)
		return nil
	}
	l.sched.count(f, n)
	l.mu.Unlock()
	var q frameQueue
	q.pushAll(c)
	l.mu.Lock()
	l.sched.count(f, -n)
	if l.state != stateOpen {
		q.clear()
		return l.failure()
	}
	l.sched.splice(f, &q)
	return nil
}

func checkEncoding(enc channel.Encoding) error {
	if enc > channel.CBOR {
		return fmt.Errorf("there is no encoding %d", uint8(enc))
	}
	return nil
}

func tooLarge(n int, most uint32) error {
	return &channel.Error{Code: channel.CodeTooLarge,
		Text: fmt.Sprintf("%d bytes, the other side takes at most %d", n, most-wire.MessageOverhead)}
}

// awaitRoom waits until n bytes may be queued on the lane. Call it with mu held; it lets go of it while it waits.
func (l *Link) awaitRoom(ctx context.Context, f *lane, n int) error {
	for {
		if l.state != stateOpen {
			return l.failure()
		}
		if !l.sched.full(f, n) {
			return nil
		}
		room := &l.room
		if f.foreign {
			room = &l.groupRoom
		}
		if err := l.await(ctx, room.Wait()); err != nil {
			return err
		}
	}
}

// tellRoom wakes those who wait for room, when there may be some. Call it with mu held.
func (l *Link) tellRoom() {
	if l.sched.ranEmpty || l.sched.own() < l.sched.most {
		l.room.Ring()
	}
	if l.sched.foreign < l.sched.most {
		l.groupRoom.Ring()
	}
	l.sched.ranEmpty = false
}

// await waits for c, ctx or the end of the link, without mu. Call it with mu held.
func (l *Link) await(ctx context.Context, c <-chan struct{}) error {
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}

// awaitCredit queues for credit and reserves it, behind the total that it returns. Call it with mu
// held; it lets go of it while it waits.
func (l *Link) awaitCredit(ctx context.Context, ch *outChan, cost uint64) (at uint64, err error) {
	w := ch.credit.Wait(cost)
	l.ask(ch)
	l.mu.Unlock()
	select {
	case <-w.Ready():
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-ch.refused:
	case <-l.ctx.Done():
	}
	l.mu.Lock()
	if l.state != stateOpen {
		return 0, l.failure()
	}
	if refusal := l.refusal(ch); refusal != nil {
		return 0, refusal
	}
	if err != nil && ch.credit.Cancel(w) {
		l.ask(ch) // for who is first now
		return 0, err
	}
	return w.At(), nil
}

// ask tells the receiver what the message that is first in the channel's queue needs: by announcing
// it if it is large, and else by asking to hear as soon as everything before it has been taken.
// Call it with mu held.
func (l *Link) ask(ch *outChan) {
	if l.state != stateOpen || ch.isRefused() {
		return
	}
	if ch.pushed == ch.credit.Sent { // else who pushes the rest asks
		if cost, ok := ch.credit.Announce(); ok {
			var b [wire.HeaderSize + 4]byte
			l.sched.push(&ch.lane, wire.AppendAnnounce(b[:0], ch.id, uint32(cost)), nil)
			l.startWriter()
		}
	}
	if ch.credit.Waiting() {
		l.want(ch, ch.pushed)
	}
}
