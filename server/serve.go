package server

import (
	"context"
	"errors"
	"net"
	"time"
)

// tcpKeepAlive finds clients that are gone, and keeps address translators on the way from
// forgetting the connection: for clients without resume, whose connections nobody else looks after.
var tcpKeepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}

// keepAliveTimeout is how long a client that can resume may take to give a sign of life.
const keepAliveTimeout = 10 * time.Second

// keepAlive is how long it may be silent before it is asked for one. Clients ask after 15 s, so
// that as a rule the server need not.
func (s *Server) keepAlive() time.Duration {
	if s.KeepAlive <= 0 {
		return 20 * time.Second
	}
	return s.KeepAlive
}

// ListenAndServe listens on the TCP address, the key file's if it is empty, says so in the log, and
// serves until ctx ends. See Serve.
func (s *Server) ListenAndServe(ctx context.Context, address string) error {
	if err := s.start(); err != nil {
		return err
	}
	if address == "" {
		address = s.Keys.Listen
	}
	if address == "" {
		return errors.New("server: no address: give one, or add listen: \":7700\" to the key file")
	}
	lc := net.ListenConfig{KeepAliveConfig: tcpKeepAlive}
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	s.logger().Info("pysock: listening", "address", ln.Addr().String())
	return s.Serve(ctx, ln)
}

// Serve serves the connections of ln, which it closes at the end. It may be called for several
// listeners. When ctx ends the whole server is shut down, as by Shutdown with DrainTimeout, and
// Serve returns nil if that drained and its error if not. After Shutdown or Close it returns
// ErrServerClosed.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if err := s.start(); err != nil {
		return err
	}
	if !s.addListener(ln) {
		return ErrServerClosed
	}
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	err := s.accept(ln)
	s.removeListener(ln)
	if ctx.Err() == nil {
		return err
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.drainTimeout())
	defer cancel()
	return s.Shutdown(drain)
}

func (s *Server) drainTimeout() time.Duration {
	if s.DrainTimeout == 0 {
		return 10 * time.Second
	}
	return s.DrainTimeout
}

// accept takes connections until the listener is closed.
func (s *Server) accept(ln net.Listener) error {
	var pause time.Duration
	for {
		conn, err := ln.Accept()
		if err == nil {
			pause = 0
			s.handshake(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return ErrServerClosed
		}
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			return err
		}
		// Out of file descriptors, most likely: others will be closed, and meanwhile nothing else should suffer.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.logger().Error("pysock: accepting a connection", "error", err, "retry in", pause)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return ErrServerClosed
		}
	}
}

// Addrs are the addresses that the server listens on at the moment.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]net.Addr, 0, len(s.accepting))
	for ln := range s.accepting {
		addrs = append(addrs, ln.Addr())
	}
	return addrs
}

func (s *Server) addListener(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.accepting[ln] = struct{}{}
	return true
}

func (s *Server) removeListener(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accepting, ln)
}
