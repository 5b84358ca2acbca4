package testworld

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Net is the network under a server: it remembers the connections that its listeners accept, and cuts them.
type Net struct {
	mu    sync.Mutex
	conns []net.Conn
}

// Listener accepts what ln does, as it is.
func (n *Net) Listener(ln net.Listener) net.Listener { return &netListener{ln, n} }

type netListener struct {
	net.Listener
	net *Net
}

func (l *netListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.net.mu.Lock()
		l.net.conns = append(l.net.conns, conn)
		l.net.mu.Unlock()
	}
	return conn, err
}

// Cut cuts all connections there are, and returns how many there were, those that had ended since
// the last Cut included.
func (n *Net) Cut() int {
	n.mu.Lock()
	conns := n.conns
	n.conns = nil
	n.mu.Unlock()
	for _, conn := range conns {
		cut(conn)
	}
	return len(conns)
}

// CutFrom cuts the connection that comes from an address, which is the client's local one. It
// reports whether there was one.
func (n *Net) CutFrom(addr net.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, conn := range n.conns {
		if conn.RemoteAddr().String() == addr.String() {
			cut(conn)
			return true
		}
	}
	return false
}

// cut closes a connection without sending what is left to send.
func cut(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it may be closed already
	}
	_ = conn.Close()
}

// ErrUnplugged is what dialing through an unplugged Cable fails with.
var ErrUnplugged = errors.New("testworld: the cable is unplugged")

// Cable is what connects one client: its DialContext is for client.Config. Its zero value is plugged in.
type Cable struct {
	mu        sync.Mutex
	unplugged bool
	conns     []net.Conn
	dials     int
}

// DialContext connects over TCP, unless the cable is unplugged.
func (c *Cable) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	c.dials++
	unplugged := c.unplugged
	c.mu.Unlock()
	if unplugged {
		return nil, ErrUnplugged
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unplugged {
		cut(conn)
		return nil, ErrUnplugged
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

// Cut cuts the client's connections. The client may connect again at once.
func (c *Cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		cut(conn)
	}
	c.conns = nil
}

// Unplug is Cut, and lets no connection be made until Plug.
func (c *Cable) Unplug() {
	c.mu.Lock()
	c.unplugged = true
	c.mu.Unlock()
	c.Cut()
}

// Plug ends Unplug.
func (c *Cable) Plug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unplugged = false
}

// Dials is how often the client has tried to connect.
func (c *Cable) Dials() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dials
}
