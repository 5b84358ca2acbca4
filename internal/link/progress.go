package link

import "github.com/pysock/pysock/internal/wire"

// Progress is a number that changes when the other side takes something of what is sent on an
// application's channel, or the connection does: who waits to send there learns from it whether he
// waits for one who stands still.
func (l *Link) Progress(name string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := l.out[wire.KindApplication][name]
	if ch == nil {
		return 0
	}
	return ch.credit.Taken + ch.pushed - uint64(ch.lane.q.size)
}
