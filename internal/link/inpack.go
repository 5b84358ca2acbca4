package link

import (
	"encoding/binary"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

const (
	maxPacked = 256     // the largest body that is packed
	packSize  = 4 << 10 // what a pack has room for at most, and one from the store has
	packHead  = 2       // length and encoding, before each body
)

// pack is a run of small messages of one channel and sender that wait for the channel's handler,
// none of them a request, with numbers one after the other. Each is there little more than its
// body, without a pointer, and becomes a *channel.Message of its own when its turn comes: so what
// waits costs little room in the queue, none of the collector's time, and locks once for all of
// them. No application sees the pack, so it is used again, and who keeps a message keeps nothing of
// the others.
//
// It is filled by the reader, or with link.mu held while it is in the channel's queue, and belongs
// to who runs the channel's handlers from then on.
type pack struct {
	peer   *channel.Peer
	sender *sender // of a group channel; else nil
	number uint64  // of the next message that comes out
	count  uint32  // how many are in it
	at     uint32  // where the next begins
	b      []byte
	after  uint64 // what the sender skipped behind the last, set when the pack leaves the queue
}

var packs = sync.Pool{New: func() any { return &pack{b: make([]byte, 0, packSize)} }}

// fits reports whether n bytes of such messages may follow what is in the pack.
func (p *pack) fits(peer *channel.Peer, sender *sender, number uint64, n int) bool {
	return len(p.b)+n <= packSize && p.peer == peer && p.sender == sender && p.number+uint64(p.count) == number
}

func (p *pack) add(enc channel.Encoding, body []byte) {
	p.b = binary.LittleEndian.AppendUint16(p.b, uint16(len(body))<<2|uint16(enc))
	p.b = append(p.b, body...)
	p.count++
}

// next takes the first message out, if there is one, as a message of the channel m.ch.
func (p *pack) next(m *inMsg) bool {
	if p.count == 0 {
		return false
	}
	head := binary.LittleEndian.Uint16(p.b[p.at:])
	begin := p.at + packHead
	p.at = begin + uint32(head>>2)
	body := p.b[begin:p.at]
	msg, room := newMessage(len(body))
	msg.Body = append(room, body...)
	msg.Channel, msg.Encoding, msg.From = m.ch.name, channel.Encoding(head&3), p.peer
	if p.sender != nil {
		msg.Group = p.sender.group
	}
	m.msg, m.req = msg, nil
	m.cost = uint64(len(body)+p.sender.size()) + wire.MessageOverhead
	m.setNumber(p.number)
	p.number++
	if p.count--; p.count == 0 {
		m.cost += p.after
	}
	return true
}

// reuse gives a pack back whose content is not needed any more.
func (p *pack) reuse() {
	if cap(p.b) == packSize {
		*p = pack{b: p.b[:0]}
		packs.Put(p)
	}
}

// onSmall acts on a message that is no request and is in one frame, if the channel's messages have
// a handler. It is queued with those that follow it.
func (ch *inChan) onSmall(h wire.Header, cost uint64, body []byte, from *sender) {
	number := ch.next
	ch.next++
	if ch.refused.Load() || number < ch.known && ch.book.taken(number) {
		ch.queuePack()
		ch.link.skipped(ch, cost)
		return
	}
	ch.gapped = false
	peer := ch.link.peer.Load()
	if from != nil {
		peer = from.peer
	}
	p := ch.pack
	if p != nil && !p.fits(peer, from, number, packHead+len(body)) {
		ch.queuePack()
		p = nil
	}
	if p == nil {
		p = packs.Get().(*pack)
		p.peer, p.sender, p.number = peer, from, number
		ch.pack = p
		if l := ch.link; len(l.packed) == 0 || l.packed[len(l.packed)-1] != ch {
			l.packed = append(l.packed, ch)
		}
	}
	p.add(channel.Encoding(h.Flags.Encoding()), body)
}

// queuePacked queues the small messages that the reader has packed, when it has acted on all that it has read.
func (l *Link) queuePacked() {
	if len(l.packed) == 0 {
		return
	}
	l.bodies.Lock()
	defer l.bodies.Unlock()
	for i, ch := range l.packed {
		ch.queuePack()
		l.packed[i] = nil
	}
	l.packed = l.packed[:0]
	if cap(l.packed) > 2*shortQueue {
		l.packed = nil
	}
}

// queuePack is that for one channel, before something else of it that has its place behind them. Call
// it with link.bodies held.
func (ch *inChan) queuePack() {
	p := ch.pack
	if p == nil {
		return
	}
	ch.pack = nil
	l := ch.link
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh()
	if l.route(ch) != nil && !ch.refused.Load() && !l.ignoresInput.Load() {
		if ch.pushPack(p) {
			p = nil
		}
		l.settle(ch)
	} else {
		for m := (inMsg{ch: ch}); p.next(&m); {
			l.queueArrived(m)
		}
	}
	if p != nil {
		p.reuse()
	}
}

// pushPack queues what is in a pack for the channel's handler. It reports whether the pack itself
// is in the queue: only one that comes first there, or is at least half full, for it keeps a buffer
// of packSize as long as it waits. The messages of a smaller one are added to the last pack in the
// queue, or queued as a copy that is only as large as they are. A message that is alone in the
// queue takes no pack. Call it with link.mu held.
func (ch *inChan) pushPack(p *pack) (kept bool) {
	n := len(ch.queue)
	switch {
	case n == 0 && p.count == 1:
		m := inMsg{ch: ch}
		p.next(&m)
		ch.push(m)
		return false
	case n == 0 || len(p.b) >= packSize/2:
		ch.enqueue(queued{pack: p})
		return true
	}
	last := &ch.queue[n-1]
	if q := last.pack; q != nil && last.cost == 0 && q.fits(p.peer, p.sender, p.number, len(p.b)) {
		q.b = append(q.b, p.b...)
		q.count += p.count
		return false
	}
	q := *p
	q.b = append([]byte(nil), p.b...)
	ch.enqueue(queued{pack: &q})
	return false
}
