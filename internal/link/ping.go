package link

import (
	"context"
	"time"
)

// pings are the PINGs under way. The link's mu guards it. Several callers share one.
type pings struct {
	due     bool   // a PING is to be sent
	last    uint32 // id of the last one
	waiting chan struct{}
}

// Ping measures the time to the other side's link and back. It does not ask the application there.
func (l *Link) Ping(ctx context.Context) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != stateOpen {
		return 0, l.failure()
	}
	p := &l.pings
	if p.waiting == nil {
		p.last++
		p.due = true
		p.waiting = make(chan struct{})
		l.kick()
	}
	begin := time.Now()
	if err := l.await(ctx, p.waiting); err != nil {
		return 0, err
	}
	return time.Since(begin), nil
}

func (l *Link) onPong(id uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pings.waiting != nil && id == l.pings.last {
		close(l.pings.waiting)
		l.pings.waiting = nil
	}
}
