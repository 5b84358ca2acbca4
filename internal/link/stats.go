package link

import "sync/atomic"

// Stats counts what a link has carried.
type Stats struct {
	BytesSent     atomic.Uint64 // of frames
	BytesReceived atomic.Uint64 // of frames
}

func (s *Stats) sent(n int)     { s.BytesSent.Add(uint64(n)) }
func (s *Stats) received(n int) { s.BytesReceived.Add(uint64(n)) }

// Bytes gives the bytes of frames sent and received so far.
func (l *Link) Bytes() (sent, received uint64) {
	return l.stats.BytesSent.Load(), l.stats.BytesReceived.Load()
}

// Queued is how many bytes wait to be written.
func (l *Link) Queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sched.queued
}
