package link

import (
	"errors"
	"fmt"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wakeup"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// outChan is a channel that this side sends on. The link's mu guards it.
type outChan struct {
	id     uint32
	kind   wire.Kind
	name   string
	lane   lane
	credit flow.Credit

	book  *outBook      // of the books; of group messages one that ends with the link
	begin uint64        // the number that CHANNEL gives
	costs costs         // what is under way
	gate  chan struct{} // closed and nil when what the books kept has been sent again; others wait for that
	again uint64        // number of the next message to send again
	left  uint64        // messages that TrySend left out
	told  uint64        // how many of them GAP has told of

	refused chan struct{} // closed when the other side refused the channel
	reason  wire.Reason   // why
	plain   bool          // messages were sent that are no requests: nobody else tells that they are lost
	seen    bool          // a caller has been told of the refusal
	pushed  uint64        // the part of credit.Sent whose frames are queued or sent
	skip    uint64        // credit to give back when pushed has come to skipAt
	skipAt  uint64
	turn    wakeup.Bell // pushed has moved: it may be the turn of another
	probed  uint64      // the total that was probed last
	wanted  []uint64    // totals that somebody waits to be taken, ascending
	changed wakeup.Bell // the credit has moved, or never will
}

// appendControl opens the channel. It is control, so that numbers open in order.
func (ch *outChan) appendControl(b []byte) []byte {
	return wire.AppendChannel(b, ch.id, ch.begin, ch.kind, ch.name)
}

func (ch *outChan) isRefused() bool {
	select {
	case <-ch.refused:
		return true
	default:
		return false
	}
}

// refusal is the error of a refused channel, nil if it is not refused. Who gets it is told by it
// that what was sent on the channel is lost. Call it with mu held.
func (l *Link) refusal(ch *outChan) error {
	if !ch.isRefused() || !l.owns && !ch.seen {
		return nil // or the link's end tells of the messages, and they may be sent again
	}
	if ch.gate != nil {
		return errRefused
	}
	ch.seen = true
	if l.owns {
		ch.book.gaveCode = channel.Code(ch.reason.Code)
		ch.book.giveUp()
	}
	return refused(ch.name, channel.Code(ch.reason.Code))
}

// errRefused tells Resend of a refusal, which somebody else is to be told of.
var errRefused = errors.New("the channel is refused")

func refused(name string, code channel.Code) error {
	return &channel.Error{Code: code, Text: name, Remote: true}
}

// ownChannels is how many channels that are not of group messages a link opens.
const ownChannels = wire.MaxChannels - wire.MaxGroupChannels

// outChannel finds or opens the channel of a kind and name. Call it with mu held.
func (l *Link) outChannel(kind wire.Kind, name string) (*outChan, error) {
	if ch, ok := l.out[kind][name]; ok {
		return ch, nil
	}
	if err := keys.CheckChannel(name); err != nil {
		return nil, err
	}
	groups := len(l.out[wire.KindGroup])
	if kind == wire.KindGroup {
		if groups >= wire.MaxGroupChannels {
			return nil, &channel.Error{Code: channel.CodeLimit,
				Text: fmt.Sprintf("a connection has at most %d channels of group messages", wire.MaxGroupChannels)}
		}
		return l.openOut(bookKey{kind, name}, new(outBook)), nil
	}
	if len(l.outByID)-groups >= ownChannels {
		return nil, &channel.Error{Code: channel.CodeLimit, Text: fmt.Sprintf("a connection has at most %d channels",
			ownChannels)}
	}
	key := bookKey{kind, name}
	book := l.books.out[key]
	if book == nil {
		if len(l.books.out) >= maxNames {
			return nil, &channel.Error{Code: channel.CodeLimit,
				Text: fmt.Sprintf("there were %d channels, with those of earlier connections", maxNames)}
		}
		book = new(outBook)
		l.books.out[key] = book
	}
	return l.openOut(key, book), nil
}

// openOut opens a channel. Call it with mu held, and with the books in hand.
func (l *Link) openOut(key bookKey, book *outBook) *outChan {
	ch := &outChan{id: uint32(len(l.outByID) + 1), kind: key.kind, name: key.name, credit: flow.NewCredit(),
		refused: make(chan struct{}),
		book:    book, begin: book.first(), again: book.first()}
	ch.lane.foreign = key.kind == wire.KindGroup
	if l.out[key.kind] == nil {
		l.out[key.kind] = make(map[string]*outChan)
	}
	l.out[key.kind][key.name] = ch
	l.outByID = append(l.outByID, ch)
	l.control(ch)
	return ch
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
	if c.Taken > ch.pushed {
		return violated("CREDIT of channel %d is beyond what was sent", h.ID)
	}
	before := ch.credit.Taken
	skip, at, err := ch.credit.Update(c.Taken, c.Allowed)
	if err != nil {
		return violated("CREDIT of channel %d went back", h.ID)
	}
	if plain := ch.costs.take(c.Taken - before); plain > 0 && l.owns && !ch.seen {
		ch.book.took(plain)
	}
	ch.credit.Crowd(ch.costs.runs() >= maxRuns)
	if skip > 0 {
		ch.skip, ch.skipAt = skip, at
	}
	l.moved(ch)
	l.ask(ch)
	l.probe(ch)
	ch.changed.Ring()
	return nil
}

// awaitTurn waits until all that was reserved before the total is queued. Call it with mu held.
func (l *Link) awaitTurn(ch *outChan, at uint64) error {
	for ch.pushed != at {
		turn := ch.turn.Wait()
		l.mu.Unlock()
		select {
		case <-turn:
		case <-ch.refused:
		case <-l.ctx.Done():
		}
		l.mu.Lock()
		if l.state != stateOpen {
			return l.failure()
		}
		if err := l.refusal(ch); err != nil {
			return err
		}
	}
	return nil
}

// moved gives credit back if it is time to, and lets those go on that wait for their turn, after
// pushed has moved. Call it with mu held.
func (l *Link) moved(ch *outChan) {
	if ch.skip > 0 && ch.pushed == ch.skipAt {
		if l.state == stateOpen && !ch.isRefused() {
			var b [wire.HeaderSize + 8]byte
			l.sched.push(&ch.lane, wire.AppendSkip(b[:0], ch.id, ch.skip), nil)
			l.startWriter()
		}
		ch.pushed += ch.skip
		ch.costs.add(ch.skip, 0)
		ch.skip = 0
	}
	ch.turn.Ring()
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
	if ch.isRefused() {
		return violated("channel %d refused twice", h.ID)
	}
	ch.reason = r
	ch.seen = !ch.plain && !(l.owns && ch.book.pending() > 0) // each request is told by its answer
	close(ch.refused)
	ch.changed.Ring()
	return nil
}
