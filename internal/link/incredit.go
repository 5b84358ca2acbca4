package link

import (
	"math"

	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
)

// frozen is set in inChan.taken when the totals have been told for the last time.
const frozen = 1 << 63

// total is what the application has taken.
func (ch *inChan) total() uint64 { return ch.taken.Load() &^ frozen }

// took counts what the application takes. It reports ok false if nothing may be taken any more, and
// due if the sender is to hear of it now.
func (ch *inChan) took(cost uint64) (due, ok bool) {
	taken := ch.taken.Load()
	for {
		if taken&frozen != 0 {
			return false, false
		}
		if ch.taken.CompareAndSwap(taken, taken+cost) {
			return taken+cost >= ch.reportAt.Load(), true
		}
		taken = ch.taken.Load()
	}
}

// tookNow is took for who does not hold mu. It sees to it that the sender hears of it in time.
func (ch *inChan) tookNow(cost uint64) (ok bool) {
	due, ok := ch.took(cost)
	if due {
		l := ch.link
		l.mu.Lock()
		ch.report()
		l.startWriter()
		l.mu.Unlock()
	}
	return ok
}

// take takes a message for a handler. given is false if there is nothing to handle: it is credit
// that the sender skips, or was taken from another link with the same books. open is false if
// nothing may be taken any more. What is beyond the guarantee of a large message stays in the
// pool's books until handed is called, so that what handlers have in their hands is bounded too.
func (ch *inChan) take(m *inMsg) (given, open bool) {
	cost, large := m.large()
	if large {
		ch.link.mu.Lock()
		ch.window.Hold(cost)
		ch.link.mu.Unlock()
	}
	open = ch.tookNow(m.cost)
	given = open && m.claim()
	if large && !given {
		ch.handed(cost)
	}
	return given, open
}

// claim reports whether there is a message that is not taken yet, takes it, and notes what is lost
// before it. It follows took, so that what is counted nowhere is not marked either, and is called
// for the messages of a channel in their order.
func (m *inMsg) claim() bool {
	if m.msg == nil {
		return false
	}
	if m.req != nil {
		return true
	}
	m.ch.link.reportSoon()
	number := m.number()
	missed, fresh := m.ch.book.claim(number, m.ch.first)
	if m.ch.gaps.some.Load() && fresh {
		missed = m.ch.gaps.take(number, missed)
	}
	m.msg.Missed = missed
	return fresh
}

// handed ends the take of a large message of that cost when its handler has returned.
func (ch *inChan) handed(cost uint64) {
	l := ch.link
	l.mu.Lock()
	defer l.mu.Unlock()
	ch.window.Drop(cost, ch.budget.pool)
	ch.budget.grant()
	l.startWriter()
}

// large is the cost of the message, without what was skipped behind it, and whether that is more
// than every channel is guaranteed.
func (m *inMsg) large() (cost uint64, ok bool) {
	if m.msg == nil {
		return 0, false
	}
	cost = uint64(len(m.msg.Body)) + wire.MessageOverhead
	return cost, cost > flow.Guaranteed
}

// report puts the channel on the list of those that have something to tell. Call it with mu held.
func (ch *inChan) report() {
	if ch.refused.Load() && !ch.refuseDue {
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
	if ch.refused.Load() {
		return b
	}
	b = ch.appendCredit(b)
	ch.budget.grant()
	return b
}

// appendCredit tells the totals as they are now.
func (ch *inChan) appendCredit(b []byte) []byte {
	taken := ch.total()
	ch.window.Open(taken, ch.budget.pool, len(ch.budget.announced) == 0)
	ch.allowed.Store(ch.window.Allowed)
	ch.ordinary.Store(ch.window.Ordinary)
	ch.told = taken
	if ch.probe > 0 && taken >= ch.probe {
		ch.probe = 0
	}
	ch.rearm()
	return wire.Credit{Taken: taken, Allowed: ch.window.Allowed}.Append(b, ch.id)
}

// rearm sets when to report next. A total that was taken meanwhile is not missed: whoever takes
// looks at reportAt after it has counted.
func (ch *inChan) rearm() {
	at := ch.window.ReportAt()
	if ch.probe > 0 {
		at = min(at, ch.probe)
	}
	ch.reportAt.Store(at)
	if ch.total() >= at {
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
	if ch.refused.Load() {
		return nil
	}
	ch.probe = total
	if ch.total() >= total {
		ch.probe = 0
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
	l.bodies.Lock()
	within := ch.part.open
	ch.queuePack()
	l.bodies.Unlock()
	if within || amount > ch.allowed.Load()-ch.received {
		return violated("SKIP of channel %d within a message or beyond its credit", h.ID)
	}
	ch.received += amount
	l.skipped(ch, amount)
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
	if ch.refused.Load() {
		return nil
	}
	if !ch.window.Announce(ch.received, uint64(cost)) {
		return violated("channel %d announced a message while another is announced", h.ID)
	}
	if !ch.announced {
		ch.announced = true
		ch.budget.announced = append(ch.budget.announced, ch)
	}
	ch.budget.grant()
	return nil
}

// budget is what channels of a link may hold beyond what is guaranteed to each, and who waits for
// it. Messages to groups have one of their own: what others send, and nobody may ever take, must
// not keep from the application what the server's sends it.
type budget struct {
	pool      *flow.Pool
	announced []*inChan // whose announcements wait for the pool, each once, first come first served; guarded by link.mu
}

func newBudget(maxMessage uint32) budget { return budget{pool: flow.NewPool(uint64(maxMessage))} }

// grant gives the pool to announced messages. Call it with link.mu held.
func (g *budget) grant() {
	for len(g.announced) > 0 {
		ch := g.announced[0]
		if !ch.refused.Load() {
			if !ch.window.Grant(g.pool) {
				return
			}
			ch.report()
		}
		ch.announced = false
		g.announced[0] = nil
		g.announced = g.announced[1:]
	}
}
