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
//
// The reader and the goroutine that runs the handlers are at it at the same time, on different
// processors: what each of them changes for every message lies apart from what the other does, or
// even reads.
type inChan struct {
	link      *Link
	mux       *channel.Mux // of its kind; may be nil
	id        uint32
	kind      wire.Kind
	name      string
	first     uint64      // the number that CHANNEL gave
	known     uint64      // from which number on none had been taken from an earlier link when the channel was opened
	book      *inBook     // nil of a channel that was refused at once
	handleAll func()      // link.handleAll of this channel; a go statement that makes it anew allocates
	refused   atomic.Bool // set with link.mu held

	// Atomic, so that the reader needs no lock.
	allowed  atomic.Uint64
	ordinary atomic.Uint64 // how far messages may go that need no announcement
	reportAt atomic.Uint64 // taken total at which the sender is to hear of it
	gaps     gaps

	_ cacheLine

	// Owned by the reader.
	received uint64  // costs of what has come
	next     uint64  // number of the next message that is not a request
	gapped   bool    // a GAP has come, and since then no message that can be claimed
	asOf     uint64  // routeKnown when pulled was cleared: when the mux has changed since, the next message is not packed either
	pulled   bool    // its last message found no handler, or there was none: small ones are not packed, so that Receive gets them in the order of their arrival
	sender   *sender // of a group channel: that of its last message

	// Guarded by link.bodies.
	pack    *pack // small messages that are still to be queued
	part    body  // the message that is being put together
	partMsg inMsg

	_ cacheLine

	// taken is atomic, so that taking a message needs no lock as long as nobody is to hear of it.
	// It has the bit frozen set when nothing may be taken any more.
	taken atomic.Uint64
	batch batch         // what the goroutine that runs the channel's handlers has taken from queue
	limit chan struct{} // as many as may run at once; owned by the goroutine that runs them, and outlives it

	_ cacheLine

	// Guarded by link.mu.
	budget     *budget // of the link, for channels of its kind
	window     flow.Window
	announced  bool   // on the budget's list
	told       uint64 // taken as told last
	probe      uint64 // taken total that the sender asked to be told of; 0 if none
	due        bool   // on the list of controllers
	refusal    wire.Reason
	refuseDue  bool
	answers    lane // answers to requests of this channel
	route      *channel.Route
	handler    *channel.Route // the last route that was not nil: what is queued is for it
	routeKnown uint64         // version of the mux that route is of, plus one
	queue      []queued
	spare      []queued
	busy       bool   // a goroutine runs its handlers
	firstAt    uint64 // where link.pulled holds the channel's first message; of no meaning if it holds none
	heldAt     uint64 // where link.pulled holds the channel's last message, plus one; 0, or not above popped there, if it holds none
}

// cacheLine keeps apart what would else be in one line of the processors' caches, and wander between them.
type cacheLine [64]byte

// inMsg is a message that has arrived, or credit that the sender skips (msg is nil), in its place among the messages.
type inMsg struct {
	ch   *inChan
	msg  *channel.Message
	req  *inRequest
	cost uint64
}

// Until a message that is no request is claimed its number is where the application will find how
// many are missed: it costs the queue no room there.
func (m *inMsg) setNumber(n uint64) { m.msg.Missed = n }

func (m *inMsg) number() uint64 { return m.msg.Missed }

func (l *Link) onChannel(h wire.Header, p []byte) error {
	sequence, kind, name, err := wire.ParseChannel(p)
	if err != nil {
		return err
	}
	if err := keys.CheckChannel(name); err != nil {
		return violated("channel name is not allowed")
	}
	if kind == wire.KindGroup && !l.cfg.GroupMessages {
		return violated("a group channel from somebody who is no server")
	}
	if h.ID != uint32(len(l.in)+1) {
		return violated("CHANNEL %d, want %d", h.ID, len(l.in)+1)
	}
	for _, ch := range l.in {
		if ch.kind == kind && ch.name == name {
			return violated("channel %d has the name of channel %d", h.ID, ch.id)
		}
	}
	ch := &inChan{link: l, mux: l.cfg.Mux, id: h.ID, kind: kind, name: name, window: flow.NewWindow(), pulled: true}
	ch.budget = &l.budget
	if kind == wire.KindGroup {
		ch.budget = &l.groupBudget
	}
	ch.answers.answers = true
	ch.handleAll = func() { l.handleAll(ch) }
	ch.allowed.Store(flow.Guaranteed)
	ch.ordinary.Store(flow.Guaranteed)
	ch.reportAt.Store(ch.window.ReportAt())
	ch.next, ch.first = sequence, sequence
	no := l.admit(ch)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in = append(l.in, ch)
	if ch.book == nil {
		l.refuse(ch, no)
	}
	return nil
}

// admit gives a channel that the other side opens its book, or says why it is refused at once.
func (l *Link) admit(ch *inChan) (no wire.Reason) {
	room := len(l.in)-l.rd.services-l.rd.groups < l.cfg.MaxChannels
	switch ch.kind {
	case wire.KindService:
		room = l.rd.services < l.cfg.MaxServices
		l.rd.services++
		ch.mux = l.cfg.Services
		if ch.mux.Route(ch.name) == nil {
			return wire.Reason{Code: wire.CodeNoHandler}
		}
	case wire.KindGroup:
		if l.rd.groups++; l.rd.groups <= wire.MaxGroupChannels {
			ch.book = new(inBook) // others open them: they must not fill the Books, and what was lost is not sent again
			return no
		}
		room = false
	}
	if room {
		ch.book = l.books.inBook(bookKey{ch.kind, ch.name}, ch.first)
	}
	if ch.book == nil {
		return wire.Reason{Code: wire.CodeLimit, Text: "too many channels"}
	}
	ch.known = ch.book.mark.Load()
	return no
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
		return ch.onFirst(h, p)
	}
	if !ch.part.open {
		return violated("a message on channel %d goes on that has not begun", h.ID)
	}
	if ch.refused.Load() {
		ch.part.b, ch.part.dropped = nil, true
	}
	if err := ch.part.add(p, h.Flags.Has(wire.FlagLast)); err != nil {
		return err
	}
	if !h.Flags.Has(wire.FlagLast) {
		return nil
	}
	m := ch.partMsg
	if m.msg != nil {
		m.msg.Body = ch.part.b
	}
	ch.part, ch.partMsg = body{}, inMsg{}
	ch.whole(m)
	return nil
}

// onFirst acts on the first frame of a message, which may be the only one.
func (ch *inChan) onFirst(h wire.Header, p []byte) error {
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
	if cost <= flow.Guaranteed && ch.received+cost > ch.ordinary.Load() {
		return violated("a small message on channel %d uses what was granted to a large one", h.ID)
	}
	if most := uint64(ch.link.cfg.MaxMessage); cost > most {
		return violated("a message of cost %d came, %d are allowed", cost, most)
	}
	ch.received += cost
	var from *sender
	if ch.kind == wire.KindGroup {
		if from, first, err = ch.onGroupHead(h, first); err != nil {
			return err
		}
	}
	if start.Request == 0 && len(first) <= maxPacked && h.Flags.Has(wire.FlagLast) && !ch.pulled &&
		ch.asOf == ch.mux.Version()+1 {
		ch.onSmall(h, cost, first, from)
		return nil
	}
	if ch.pack != nil {
		ch.queuePack()
	}
	m, room, err := ch.begin(h, start, from)
	if err != nil {
		return err
	}
	if !h.Flags.Has(wire.FlagLast) {
		ch.part.begin(room, first, int(start.Total)-from.size())
		ch.partMsg = m
		return nil
	}
	if m.msg != nil {
		m.msg.Body = append(room, first...)
	}
	ch.whole(m)
	return nil
}

// begin makes a message and room for its body. Of a channel that is refused no bodies are kept: the
// pool does not count them. Nor are those of messages that have been taken already. room is nil
// then. from is nil but for group channels.
func (ch *inChan) begin(h wire.Header, start wire.MessageStart, from *sender) (m inMsg, room []byte, err error) {
	l := ch.link
	m = inMsg{ch: ch, cost: uint64(start.Total) + wire.MessageOverhead}
	number, known := ch.next, false
	if start.Request == 0 {
		ch.next++
		known = number < ch.known && ch.book.taken(number)
	}
	if !known && !ch.refused.Load() {
		m.msg, room = newMessage(int(start.Total) - from.size())
		m.msg.Channel, m.msg.Encoding = ch.name, channel.Encoding(h.Flags.Encoding())
		if from == nil {
			m.msg.From = l.peer.Load()
		} else {
			m.msg.From, m.msg.Group = from.peer, from.group
		}
		if start.Request == 0 {
			m.setNumber(number)
			ch.gapped = false
		}
	}
	if start.Request != 0 {
		if m.req, err = l.newInRequest(ch, start); err != nil {
			return inMsg{}, nil, err
		}
		if m.msg != nil {
			channel.NewRequest(m.msg, m.req)
		}
	}
	return m, room, nil
}

// whole passes a message on that has come to its end.
func (ch *inChan) whole(m inMsg) {
	if m.msg == nil && m.req == nil {
		ch.link.skipped(ch, m.cost) // it was taken from an earlier link, or the channel is refused
		return
	}
	ch.link.arrived(m)
}

// refuse tells the sender that nobody handles the channel, and drops what it has sent. Call it with mu held.
func (l *Link) refuse(ch *inChan, r wire.Reason) {
	ch.refused.Store(true)
	ch.refuseDue, ch.refusal = true, r
	for _, e := range ch.queue {
		l.drop(e.req)
	}
	ch.queue, ch.spare = nil, nil
	ch.gaps.take(math.MaxUint64, 0)
	ch.window.Release(ch.budget.pool)
	ch.report()
	ch.budget.grant()
	l.startWriter()
}

// drop forgets a message of a refused channel; a request gets an answer. Call it with mu held.
func (l *Link) drop(req *inRequest) {
	if req != nil {
		l.answerErrorLocked(req, wire.CodeNoHandler, "")
	}
}
