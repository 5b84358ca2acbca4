package client

import (
	"net"
	"sync"
	"time"

	"github.com/pysock/pysock/internal/link"
)

// Stats is what there is to tell of a client's connection or of a pipe.
type Stats struct {
	Addr      net.Addr // where the server is now, or was last; nil for a pipe
	LocalAddr net.Addr // where the client is connected from, likewise

	Since      time.Time     // when Dial was let in, or the pipe was opened
	Reconnects uint64        // how often it has a new connection since; a pipe that goes on within the client's session has not
	RoundTrip  time.Duration // to the server and back when it was last measured, which costs nothing; 0 if it was not, and for a pipe: see Ping

	BytesSent     uint64 // before encryption, from the first connection on; what is sent again after a lost connection counts once
	BytesReceived uint64 // likewise
	Queued        int    // bytes that wait to be written
}

// Stats tells of the connection to the server, pipes included.
func (c *Client) Stats() Stats { return c.tally.stats() }

// Stats tells of the pipe.
func (p *Pipe) Stats() Stats { return p.tally.stats() }

// tally counts over several links. The zero value is ready to use.
type tally struct {
	mu             sync.Mutex
	link           *link.Link // the present, or the last; nil before the first
	session        *session   // what it is a link of; nil for a pipe's
	since          time.Time
	connections    uint64
	sent, received uint64 // over the links before
}

// begin notes a new link.
func (t *tally) begin(l *link.Link, s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.link == nil {
		t.since = time.Now()
	} else {
		sent, received := t.link.Bytes()
		t.sent += sent
		t.received += received
	}
	t.link, t.session = l, s
	t.connections++
}

// resumed notes that the link goes on over a new connection.
func (t *tally) resumed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connections++
}

func (t *tally) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Stats{Since: t.since}
	if t.link == nil {
		return s
	}
	s.Reconnects = t.connections - 1
	s.BytesSent, s.BytesReceived = t.link.Bytes()
	s.BytesSent += t.sent
	s.BytesReceived += t.received
	s.Queued = t.link.Queued()
	if t.session != nil {
		s.Addr, s.LocalAddr = t.session.lower.RemoteAddr(), t.session.lower.LocalAddr()
		if t.session.stream != nil {
			s.RoundTrip = t.session.stream.RoundTrip()
		}
	}
	return s
}
