package link

import (
	"math"
	"sync/atomic"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// inChan is a channel that the other side sends on.
type inChan struct {
	link *Link
	id   uint32
	name string

	// Owned by the reader.
	received uint64 // costs of what has come
	part     body   // the message that is being put together
	partMsg  inMsg

	// Atomic, so that taking a message needs no lock as long as nobody is to hear of it.
	taken    atomic.Uint64
	allowed  atomic.Uint64
	reportAt atomic.Uint64 // taken total at which the sender is to hear of it

	// Guarded by link.mu.
	window     flow.Window
	told       uint64 // taken as told last
	probe      uint64 // taken total that the sender asked to be told of; 0 if none
	due        bool   // on the list of controllers
	refused    bool
	refusal    wire.Reason
	refuseDue  bool
	answers    lane // answers to requests of this channel
	route      *channel.Route
	routeKnown uint64 // version of the mux that route is of, plus one
	queue      []inMsg
	spare      []inMsg
	busy       bool // a goroutine runs its handlers
}

// inMsg is a message that has arrived, or credit that the sender skips, in its place among the messages.
type inMsg struct {
	ch   *inChan
	msg  *channel.Message
	req  *inRequest
	cost uint64
}

// body puts a body together from frames.
type body struct {
	b    []byte
	want int
	open bool
}

func (l *Link) onChannel(h wire.Header, p []byte) error {
	name, err := wire.ParseChannel(p)
	if err != nil {
		return err
	}
	if err := keys.CheckChannel(name); err != nil {
		return violated("channel name is not allowed")
	}
	if h.ID != uint32(len(l.in)+1) {
		return violated("CHANNEL %d, want %d", h.ID, len(l.in)+1)
	}
	for _, ch := range l.in {
		if ch.name == name {
			return violated("channel %d has the name of channel %d", h.ID, ch.id)
		}
	}
	ch := &inChan{link: l, id: h.ID, name: name, window: flow.NewWindow()}
	ch.allowed.Store(flow.Guaranteed)
	ch.reportAt.Store(ch.window.ReportAt())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in = append(l.in, ch)
	if len(l.in) > l.cfg.MaxChannels {
		l.refuse(ch, wire.Reason{Code: wire.CodeLimit, Text: "too many channels"})
	}
	return nil
}

// inByFrame finds the channel that a frame is for. Only the reader adds channels, so it needs no lock.
func (l *Link) inByFrame(h wire.Header) (*inChan, error) {
	if h.ID > uint32(len(l.in)) {
		return nil, violated("%v for channel %d, which was never opened", h.Type, h.ID)
	}
	return l.in[h.ID-1], nil
}

func (l *Link) onMessage(h wire.Header, p []byte) error {
	ch, err := l.inByFrame(h)
	if err != nil {
		return err
	}
	if h.Flags.Has(wire.FlagFirst) {
		if ch.part.open {
			return violated("a message on channel %d began within another", h.ID)
		}
		start, first, err := wire.ParseMessageStart(h, p)
		if err != nil {
			return err
		}
		cost := uint64(start.Total) + wire.MessageOverhead
		if ch.received+cost > ch.allowed.Load() {
			return violated("a message on channel %d is beyond its credit", h.ID)
		}
		ch.received += cost
		msg, b := newMessage(int(start.Total))
		msg.Channel, msg.From, msg.Encoding = ch.name, l.cfg.Peer, channel.Encoding(h.Flags.Encoding())
		ch.part = body{b: append(b, first...), want: int(start.Total), open: true}
		ch.partMsg = inMsg{ch: ch, msg: msg, cost: cost}
		if start.Request != 0 {
			if ch.partMsg.req, err = l.newInRequest(ch, start); err != nil {
				return err
			}
			channel.NewRequest(msg, ch.partMsg.req)
		}
	} else {
		if !ch.part.open {
			return violated("a message on channel %d goes on that has not begun", h.ID)
		}
		if err := ch.part.add(p, h.Flags.Has(wire.FlagLast)); err != nil {
			return err
		}
	}
	if !h.Flags.Has(wire.FlagLast) {
		return nil
	}
	m := ch.partMsg
	m.msg.Body = ch.part.b
	ch.part, ch.partMsg = body{}, inMsg{}
	l.arrived(m)
	return nil
}

// add appends the payload of a later frame.
func (b *body) add(p []byte, last bool) error {
	n := len(b.b) + len(p)
	switch {
	case len(p) == 0:
		return violated("an empty frame within a message")
	case n > b.want:
		return violated("a message is longer than announced")
	case last != (n == b.want):
		return violated("a message does not end where it said")
	case !last && len(p) != wire.MaxPayload:
		return violated("a frame within a message is not full")
	}
	b.b = append(b.b, p...)
	return nil
}

// took counts what the application has taken, and sees to it that the sender hears of it in time.
func (ch *inChan) took(cost uint64) {
	taken := ch.taken.Add(cost)
	if taken < ch.reportAt.Load() {
		return
	}
	l := ch.link
	l.mu.Lock()
	ch.report()
	l.kick()
	l.mu.Unlock()
}

// report puts the channel on the list of those that have something to tell. Call it with mu held.
func (ch *inChan) report() {
	if ch.refused && !ch.refuseDue {
		return
	}
	ch.reportAt.Store(math.MaxUint64)
	if !ch.due && ch.link.state == stateOpen {
		ch.due = true
		ch.link.control(ch)
	}
}

// appendControl tells the totals, or that the channel is refused.
func (ch *inChan) appendControl(b []byte) []byte {
	ch.due = false
	if ch.refuseDue {
		ch.refuseDue = false
		return wire.AppendReason(b, wire.TypeRefuse, ch.id, ch.refusal)
	}
	if ch.refused {
		return b
	}
	b = ch.appendCredit(b)
	ch.link.grantAnnounced()
	return b
}

// appendCredit tells the totals as they are now.
func (ch *inChan) appendCredit(b []byte) []byte {
	l := ch.link
	taken := ch.taken.Load()
	ch.window.Open(taken, l.pool, len(l.announced) == 0)
	ch.allowed.Store(ch.window.Allowed)
	ch.told = taken
	if ch.probe > 0 && taken >= ch.probe {
		ch.probe = 0
	}
	ch.rearm()
	return wire.Credit{Taken: taken, Allowed: ch.window.Allowed}.Append(b, ch.id)
}

// rearm sets when to report next. A total that was taken meanwhile is not missed: whoever takes looks at reportAt after it has counted.
func (ch *inChan) rearm() {
	at := ch.window.ReportAt()
	if ch.probe > 0 {
		at = min(at, ch.probe)
	}
	ch.reportAt.Store(at)
	if ch.taken.Load() >= at {
		ch.report()
	}
}

func (l *Link) onProbe(h wire.Header, p []byte) error {
	total, err := wire.ParseProbe(p)
	if err != nil {
		return err
	}
	ch, err := l.inByFrame(h)
	if err != nil {
		return err
	}
	if total > ch.received {
		return violated("PROBE of channel %d is beyond what was sent", h.ID)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch.refused {
		return nil
	}
	ch.probe = max(total, 1)
	if ch.taken.Load() >= total {
		ch.report()
	} else if !ch.due {
		ch.rearm()
	}
	return nil
}

func (l *Link) onSkip(h wire.Header, p []byte) error {
	amount, err := wire.ParseSkip(p)
	if err != nil {
		return err
	}
	ch, err := l.inByFrame(h)
	if err != nil {
		return err
	}
	if ch.part.open || amount > ch.allowed.Load()-ch.received {
		return violated("SKIP of channel %d within a message or beyond its credit", h.ID)
	}
	ch.received += amount
	l.arrived(inMsg{ch: ch, cost: amount})
	return nil
}

func (l *Link) onAnnounce(h wire.Header, p []byte) error {
	cost, err := wire.ParseAnnounce(p)
	if err != nil {
		return err
	}
	ch, err := l.inByFrame(h)
	if err != nil {
		return err
	}
	if cost > l.cfg.MaxMessage {
		return violated("a message of cost %d was announced, %d are allowed", cost, l.cfg.MaxMessage)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch.refused {
		return nil
	}
	if !ch.window.Announce(ch.received, uint64(cost)) {
		return violated("channel %d announced a message while another is announced", h.ID)
	}
	l.announced = append(l.announced, ch)
	l.grantAnnounced()
	return nil
}

// grantAnnounced gives the pool to announced messages, first come first served. Call it with mu held.
func (l *Link) grantAnnounced() {
	for len(l.announced) > 0 {
		ch := l.announced[0]
		if !ch.refused {
			if !ch.window.Grant(l.pool) {
				return
			}
			ch.report()
		}
		l.announced[0] = nil
		l.announced = l.announced[1:]
	}
	for len(l.answers) > 0 {
		r := l.answers[0]
		if r.announced > 0 && !r.canceled {
			if !l.pool.Take(uint64(r.announced)) {
				return
			}
			r.granted = r.announced
			l.grants = append(l.grants, r)
			l.kick()
		}
		l.answers[0] = nil
		l.answers = l.answers[1:]
	}
}

// refuse tells the sender that nobody handles the channel, and drops what it has sent. Call it with mu held.
func (l *Link) refuse(ch *inChan, r wire.Reason) {
	ch.refused, ch.refuseDue, ch.refusal = true, true, r
	for _, m := range ch.queue {
		l.drop(m)
	}
	ch.queue, ch.spare = nil, nil
	ch.window.Release(l.pool)
	ch.report()
	l.grantAnnounced()
	l.kick()
}

// drop forgets a message of a refused channel; a request gets an answer. Call it with mu held.
func (l *Link) drop(m inMsg) {
	if m.req != nil {
		l.answerErrorLocked(m.req, wire.CodeNoHandler, "")
	}
}
