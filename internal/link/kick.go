package link

import (
	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// Kick ends the link with a reason and at once: what was queued is dropped, streams and relays
// through the link end now, and nothing that still comes is acted on. Only the reason itself is
// still written, for at most wire.CloseTimeout. It does not wait.
func (l *Link) Kick(code channel.Code, text string) {
	l.mu.Lock()
	if l.state != stateOpen {
		l.mu.Unlock()
		return
	}
	l.beginClose(channel.ErrClosed, wire.Reason{Code: uint16(code), Text: text})
	l.dropQueued()
	l.dropArrived()
	l.startWriter()
	streams := l.streams
	l.streams = make(map[uint32]endpoint)
	l.mu.Unlock()
	l.dropBodies()
	for _, e := range streams {
		e.onLost(channel.ErrClosed)
	}
}
