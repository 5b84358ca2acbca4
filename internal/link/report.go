package link

import "time"

// reportDelay is how long a sender may not have heard of a message that was taken. When half of the
// window is taken, or somebody asks, it hears at once.
const reportDelay = 100 * time.Millisecond

// reportSoon sees to it that the senders hear within reportDelay of what was taken, so that little
// is in doubt when the connection is lost. It takes no lock.
func (l *Link) reportSoon() {
	if !l.reporting.Load() && l.reporting.CompareAndSwap(false, true) {
		time.AfterFunc(reportDelay, l.reportTaken)
	}
}

func (l *Link) reportTaken() {
	l.reporting.Store(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ch := range l.in {
		if ch.total() != ch.told {
			ch.report()
		}
	}
	l.startWriter()
}

// peerName is for logs.
func (l *Link) peerName() string {
	if p := l.peer.Load(); p != nil {
		return p.Name
	}
	return ""
}
