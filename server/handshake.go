package server

import (
	"container/list"
	"context"
	"net"
	"net/netip"
)

// handshakes are the connections in their handshake. Guarded by Server.mu.
//
// What holds memory is the goroutine and not the connection, and one that waits for its turn to
// compute does not see that its connection is closed. So those that had to make room count until
// their goroutine has returned.
type handshakes struct {
	waiting list.List           // of *handshake, the oldest first: those that can be made to leave
	hosts   map[string]*fromOne // of those
	evicted int                 // how many had to leave, and have not yet
	running int                 // all goroutines, those that welcome a session included
}

// fromOne is how many connections of one host wait.
type fromOne struct{ n int }

// handshake is one connection's.
type handshake struct {
	conn   net.Conn
	ctx    context.Context
	cancel context.CancelFunc
	host   string
	count  *fromOne
	place  *list.Element // nil once it has left the list
	gone   bool          // it had to leave
}

// pending is how many connections are in their handshake, those that had to leave and still run included.
func (hs *handshakes) pending() int { return hs.waiting.Len() + hs.evicted }

func (hs *handshakes) add(h *handshake) {
	if hs.hosts == nil {
		hs.hosts = make(map[string]*fromOne)
	}
	if h.count = hs.hosts[h.host]; h.count == nil {
		h.count = new(fromOne)
		hs.hosts[h.host] = h.count
	}
	h.count.n++
	h.place = hs.waiting.PushBack(h)
	hs.running++
}

// remove takes a handshake off the list. It reports whether it was there.
func (hs *handshakes) remove(h *handshake) bool {
	if h.place == nil {
		return false
	}
	hs.waiting.Remove(h.place)
	h.place = nil
	if h.count.n--; h.count.n == 0 {
		delete(hs.hosts, h.host)
	}
	return true
}

// evict takes the one off the list that is to make room: the oldest of the host that has the most,
// so that a host that opens many pushes out its own.
func (hs *handshakes) evict() *handshake {
	var worst *handshake
	for e := hs.waiting.Front(); e != nil; e = e.Next() {
		if h := e.Value.(*handshake); worst == nil || h.count.n > worst.count.n {
			worst = h
		}
	}
	hs.remove(worst)
	worst.gone = true
	hs.evicted++
	return worst
}

// done counts a goroutine out that has returned.
func (hs *handshakes) done(h *handshake) {
	hs.remove(h)
	if h.gone {
		hs.evicted--
	}
	hs.running--
}

// hostOf is what connections are counted by: an IPv4 address, or the 64 bits of an IPv6 address
// that a provider gives to one customer.
func hostOf(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	var ap netip.AddrPort
	if tcp, ok := addr.(*net.TCPAddr); ok {
		ap = tcp.AddrPort()
	}
	if !ap.Addr().IsValid() {
		text := addr.String()
		var err error
		if ap, err = netip.ParseAddrPort(text); err != nil {
			if host, _, err := net.SplitHostPort(text); err == nil {
				return host
			}
			return text
		}
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}

// handshake begins the handshake of a connection, on a goroutine that ends with it: a session that
// is idle keeps only its small reader.
func (s *Server) handshake(conn net.Conn) {
	h := &handshake{conn: conn, host: hostOf(conn.RemoteAddr())}
	s.mu.Lock()
	s.awaitPlace()
	if s.draining {
		s.mu.Unlock()
		conn.Close()
		return
	}
	if s.handshakes.pending() >= 2*s.limits.MaxHandshakes {
		s.mu.Unlock()
		s.counters.crowded.Add(1)
		s.counters.failed.Add(1)
		conn.Close()
		return
	}
	var evicted *handshake
	if s.handshakes.waiting.Len() >= s.limits.MaxHandshakes {
		evicted = s.handshakes.evict()
	}
	h.ctx, h.cancel = context.WithCancel(s.ctx)
	s.handshakes.add(h)
	s.mu.Unlock()
	if evicted != nil {
		s.counters.crowded.Add(1)
		evicted.cancel()
		evicted.conn.Close()
	}
	go func() { // stops with the handshake, which has a timeout; Shutdown and Close wait for it
		defer h.cancel()
		s.enter(h)
		s.mu.Lock()
		s.handshakes.done(h)
		s.ended.Ring()
		s.mu.Unlock()
	}()
}
