//go:build linux

package main

import (
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// proxy carries TCP connections to a server, and breaks them when it is told to.
type proxy struct {
	target string
	done   chan struct{} // closed by close

	mu    sync.Mutex
	sides []*side
	conns []*carried // in the order in which they came
	work  sync.WaitGroup
}

// side is one of the addresses of a proxy: who connects there is known by it.
type side struct {
	name    string
	address string
	ln      net.Listener
	hole    atomic.Bool // nothing is carried, and nobody told

	accepted, cuts int // guarded by proxy.mu
}

// carried is a connection of a client, and the one to the server that it is carried over.
type carried struct {
	side           *side
	client, server *net.TCPConn
	cut            bool        // guarded by proxy.mu
	mute           atomic.Bool // as side.hole, for this one
}

func newProxy(target string) *proxy { return &proxy{target: target, done: make(chan struct{})} }

// open adds an address to connect to.
func (p *proxy) open(name string) (*side, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &side{name: name, address: ln.Addr().String(), ln: ln}
	p.sides = append(p.sides, s)
	p.work.Go(func() { // stops when close closes ln
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.carry(s, conn.(*net.TCPConn)) })
		}
	})
	return s, nil
}

// close ends all connections, and waits until nothing is left of them.
func (p *proxy) close() {
	p.mu.Lock()
	close(p.done)
	for _, s := range p.sides {
		s.ln.Close()
	}
	for _, c := range p.conns {
		c.client.Close()
		c.server.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

// carry is the life of a connection.
func (p *proxy) carry(s *side, client *net.TCPConn) {
	defer client.Close()
	if s.hole.Load() {
		<-p.done
		return
	}
	conn, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.SetLinger(0) // refused, as by the server
		return
	}
	c := &carried{side: s, client: client, server: conn.(*net.TCPConn)}
	defer c.server.Close()
	if !p.add(c) {
		return
	}
	defer p.remove(c)
	var both sync.WaitGroup
	both.Go(func() { c.pump(c.server, c.client, p.done) })
	both.Go(func() { c.pump(c.client, c.server, p.done) })
	both.Wait()
}

// add reports whether the proxy is still there.
func (p *proxy) add(c *carried) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return false
	default:
	}
	p.conns = append(p.conns, c)
	c.side.accepted++
	return true
}

func (p *proxy) remove(c *carried) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = slices.DeleteFunc(p.conns, func(other *carried) bool { return other == c })
}

// pump carries one direction until it ends, and passes on how it did.
func (c *carried) pump(to, from *net.TCPConn, done <-chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if c.mute.Load() || c.side.hole.Load() {
			<-done // what comes is not even acknowledged, once the kernel's buffer is full
			return
		}
		if _, failed := to.Write(buf[:n]); failed != nil {
			reset(from)
			return
		}
		switch {
		case err == io.EOF:
			_ = to.CloseWrite() // it has failed already, or it is told
			return
		case err != nil:
			reset(to)
			return
		}
	}
}

func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0) // fails if it is closed already
	conn.Close()
}
