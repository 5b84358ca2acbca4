package link

import (
	"context"
	"fmt"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// largeBody is from where on a body is cut into frames without the lock.
const largeBody = 4 * wire.MaxPayload

// outChan is a channel that this side sends on. The link's mu guards it.
type outChan struct {
	id     uint32
	name   string
	lane   lane
	credit flow.Credit

	refused chan struct{} // closed when the other side refused the channel
	reason  wire.Reason   // why
	seen    bool          // a caller has been told of the refusal
	pushed  uint64        // the part of credit.Sent whose frames are queued or sent
	probed  uint64        // the highest total that was probed
	changed chan struct{} // closed and replaced when the credit moves; nil while nobody waits
}

// appendControl opens the channel. It is control, so that numbers open in order.
func (ch *outChan) appendControl(b []byte) []byte {
	return wire.AppendChannel(b, ch.id, ch.name)
}

// wake wakes those who wait for the channel's credit to move. Call it with mu held.
func (ch *outChan) wake() {
	if ch.changed != nil {
		close(ch.changed)
		ch.changed = nil
	}
}

// refusal is the error of a refused channel, nil if it is not refused. Call it with mu held.
func (ch *outChan) refusal() error {
	select {
	case <-ch.refused:
		ch.seen = true
		return &channel.Error{Code: channel.Code(ch.reason.Code), Text: fmt.Sprintf("channel %q", ch.name), Remote: true}
	default:
		return nil
	}
}

// outChannel finds or opens the channel of a name. Call it with mu held.
func (l *Link) outChannel(name string) (*outChan, error) {
	if ch, ok := l.out[name]; ok {
		return ch, nil
	}
	if err := keys.CheckChannel(name); err != nil {
		return nil, err
	}
	if len(l.outByID) >= wire.MaxChannels {
		return nil, &channel.Error{Code: channel.CodeLimit, Text: fmt.Sprintf("a connection has at most %d channels", wire.MaxChannels)}
	}
	ch := &outChan{id: uint32(len(l.outByID) + 1), name: name, credit: flow.NewCredit(), refused: make(chan struct{})}
	l.out[name] = ch
	l.outByID = append(l.outByID, ch)
	l.control(ch)
	return ch, nil
}

// Send queues a message. It waits for credit and for room in the queue, not for the network.
func (l *Link) Send(ctx context.Context, name string, enc channel.Encoding, body []byte) error {
	return l.send(ctx, name, wire.EncodingFlags(uint8(enc)), wire.MessageStart{}, body)
}

// send reserves the message's whole credit and queues its frames, so that a message that was begun is never cut.
func (l *Link) send(ctx context.Context, name string, flags wire.Flags, start wire.MessageStart, body []byte) error {
	cost := uint64(len(body)) + wire.MessageOverhead
	if cost > uint64(l.cfg.PeerMaxMessage) {
		return tooLarge(len(body), l.cfg.PeerMaxMessage)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.awaitRoom(ctx); err != nil {
		return err
	}
	ch, err := l.outChannel(name)
	if err != nil {
		return err
	}
	if err := ch.refusal(); err != nil {
		return err
	}
	if !ch.credit.Reserve(cost) {
		if err := l.awaitCredit(ctx, ch, cost); err != nil {
			return err
		}
	}
	cutter := wire.CutMessage(ch.id, flags, start, body)
	if len(body) <= largeBody {
		l.sched.pushAll(&ch.lane, &cutter)
	} else {
		var q frameQueue
		l.mu.Unlock()
		q.pushAll(&cutter)
		l.mu.Lock()
		if l.state != stateOpen {
			q.clear()
			return l.failure()
		}
		l.sched.splice(&ch.lane, &q)
	}
	ch.pushed += cost
	l.kick()
	return nil
}

func tooLarge(n int, most uint32) error {
	return &channel.Error{Code: channel.CodeTooLarge,
		Text: fmt.Sprintf("%d bytes, the other side takes at most %d", n, most-wire.MessageOverhead)}
}

// awaitRoom waits until the queue has room. Call it with mu held; it lets go of it while it waits.
func (l *Link) awaitRoom(ctx context.Context) error {
	for {
		if l.state != stateOpen {
			return l.failure()
		}
		if l.sched.queued < maxQueued {
			return nil
		}
		if l.room == nil {
			l.room = make(chan struct{})
		}
		if err := l.await(ctx, l.room); err != nil {
			return err
		}
	}
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

// awaitCredit queues for credit and reserves it. Call it with mu held; it lets go of it while it waits.
func (l *Link) awaitCredit(ctx context.Context, ch *outChan, cost uint64) error {
	w := ch.credit.Wait(cost)
	l.ask(ch)
	l.mu.Unlock()
	var err error
	select {
	case <-w.Ready():
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-ch.refused:
	case <-l.ctx.Done():
	}
	l.mu.Lock()
	if l.state != stateOpen {
		return l.failure()
	}
	if refusal := ch.refusal(); refusal != nil {
		return refusal
	}
	if err != nil && ch.credit.Cancel(w) {
		l.ask(ch) // for who is first now
		return err
	}
	return nil
}

// ask tells the receiver what the message that is first in the channel's queue needs: by announcing it if it is large, and else by asking to
// hear as soon as everything before it has been taken. Call it with mu held.
func (l *Link) ask(ch *outChan) {
	if cost, ok := ch.credit.Announce(); ok {
		var b [wire.HeaderSize + 4]byte
		l.sched.push(&ch.lane, wire.AppendAnnounce(b[:0], ch.id, uint32(cost)), nil)
		l.kick()
	}
	if ch.credit.Waiting() {
		l.probe(ch)
	}
}

// outByFrame finds the channel that a CREDIT or REFUSE names. Call it with mu held.
func (l *Link) outByFrame(h wire.Header) (*outChan, error) {
	if h.ID > uint32(len(l.outByID)) {
		return nil, violated("%v for channel %d, which was never opened", h.Type, h.ID)
	}
	return l.outByID[h.ID-1], nil
}

func (l *Link) onCredit(h wire.Header, p []byte) error {
	c, err := wire.ParseCredit(p)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ch, err := l.outByFrame(h)
	if err != nil {
		return err
	}
	skip, err := ch.credit.Update(c.Taken, c.Allowed)
	if err != nil {
		return violated("CREDIT of channel %d is out of order or beyond what was sent", h.ID)
	}
	if skip > 0 && l.state == stateOpen {
		var b [wire.HeaderSize + 8]byte
		l.sched.push(&ch.lane, wire.AppendSkip(b[:0], ch.id, skip), nil)
		ch.pushed += skip
	}
	l.ask(ch)
	ch.wake()
	return nil
}

func (l *Link) onRefuse(h wire.Header, p []byte) error {
	r, err := wire.ParseReason(h.Type, p)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ch, err := l.outByFrame(h)
	if err != nil {
		return err
	}
	select {
	case <-ch.refused:
		return violated("channel %d refused twice", h.ID)
	default:
	}
	ch.reason = r
	close(ch.refused)
	ch.wake()
	return nil
}
