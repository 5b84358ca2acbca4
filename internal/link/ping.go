package link

import (
	"context"
	"time"

	"github.com/pysock/pysock/channel"
)

// pings are the PINGs under way. The link's mu guards it. Several callers share one.
type pings struct {
	due     bool   // a PING is to be sent
	last    uint32 // id of the last one
	sentAt  time.Time
	took    time.Duration
	waiting chan struct{} // closed when the answer has come; nil while there is none under way
}

// Ping measures the time that a frame takes to the other side's link and back. It does not ask the
// application there. It stops at the end of ctx or of the link.
func (l *Link) Ping(ctx context.Context) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != stateOpen {
		return 0, l.gone()
	}
	p := &l.pings
	if p.waiting == nil {
		p.last++
		p.due = true
		p.waiting = make(chan struct{})
		l.startWriter()
	}
	if err := l.await(ctx, p.waiting); err != nil {
		return 0, l.ungapped(err)
	}
	return p.took, nil
}

// ungapped is err, but for a call that sends no message: if err is the link's end it tells of that
// alone, and not what became of messages. Call it with mu held.
func (l *Link) ungapped(err error) error {
	if gap, ok := err.(*channel.GapError); ok && (gap == l.err || gap == context.Cause(l.ctx)) {
		return gap.Err
	}
	return err
}

func (l *Link) onPong(id uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pings.waiting != nil && id == l.pings.last && !l.pings.due {
		l.pings.took = time.Since(l.pings.sentAt)
		close(l.pings.waiting)
		l.pings.waiting = nil
	}
}
