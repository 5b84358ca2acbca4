package link

import (
	"fmt"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// outChan is a channel that this side sends on. The link's mu guards it.
type outChan struct {
	id     uint32
	name   string
	lane   lane
	credit flow.Credit

	refused chan struct{} // closed when the other side refused the channel
	reason  wire.Reason   // why
	plain   bool          // messages were sent that are no requests: nobody else tells that they are lost
	seen    bool          // a caller has been told of the refusal
	pushed  uint64        // the part of credit.Sent whose frames are queued or sent
	probed  uint64        // the total that was probed last
	wanted  []uint64      // totals that somebody waits to be taken, ascending
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

func (ch *outChan) isRefused() bool {
	select {
	case <-ch.refused:
		return true
	default:
		return false
	}
}

// refusal is the error of a refused channel, nil if it is not refused. Call it with mu held.
func (ch *outChan) refusal() error {
	if !ch.isRefused() {
		return nil
	}
	ch.seen = true
	return &channel.Error{Code: channel.Code(ch.reason.Code), Text: ch.name, Remote: true}
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
	skip, err := ch.credit.Update(c.Taken, c.Allowed)
	if err != nil {
		return violated("CREDIT of channel %d went back", h.ID)
	}
	ch.pushed += skip
	if skip > 0 && l.state == stateOpen && !ch.isRefused() {
		var b [wire.HeaderSize + 8]byte
		l.sched.push(&ch.lane, wire.AppendSkip(b[:0], ch.id, skip), nil)
	}
	l.ask(ch)
	l.probe(ch)
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
	if ch.isRefused() {
		return violated("channel %d refused twice", h.ID)
	}
	ch.reason = r
	ch.seen = !ch.plain // each request is told by its answer
	close(ch.refused)
	ch.wake()
	return nil
}
