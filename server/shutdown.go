package server

import (
	"context"
	"sync"

	"github.com/pysock/pysock/channel"
)

// Shutdown ends the server in an orderly way: it takes no more connections, lets handlers that run finish, sends what was accepted for
// sending, and tells every client. It waits until that is done, handlers of sessions that ended before included, or ctx ends; then it cuts what
// is left, ends the ctx of handlers that still run, and returns ctx's cause without waiting for those. What is on its way through pipes is not waited for: both
// ends see them end, and Flush tells senders what was taken. Shutdown must not be called by a handler, which it would wait for: start a goroutine.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	s.stopAccepting()
	var draining sync.WaitGroup
	for sess := range s.Sessions() {
		draining.Go(func() {
			sess.link.Quiesce(ctx)
			_ = sess.link.Close(channel.CodeShutdown, "") // what it could not deliver, the client will miss and see why
		})
	}
	err := s.awaitHandlers(ctx)
	s.finish()
	draining.Wait() // every connection has ended
	return err
}

// Close ends the server at once: connections are cut, and clients see them as lost. The ctx of handlers ends; Close does not wait for handlers, so that
// one may call it.
func (s *Server) Close() error {
	if err := s.start(); err != nil {
		return err
	}
	s.stopAccepting()
	s.finish()
	return nil
}

// stopAccepting closes the listeners and refuses who is in a handshake.
func (s *Server) stopAccepting() {
	s.mu.Lock()
	s.draining = true
	for ln := range s.accepting {
		ln.Close()
	}
	s.notify()
	s.mu.Unlock()
}

// awaitHandlers waits until no session holds anything, or ctx ends.
func (s *Server) awaitHandlers(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.open) > 0 {
		changed := s.change()
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if err := context.Cause(ctx); err != nil && len(s.open) > 0 {
			return err
		}
	}
	return nil
}

// finish cuts what is left and waits for connections and handshakes to end.
func (s *Server) finish() {
	s.cancel()
	s.mu.Lock()
	s.cutting = true
	for {
		for sess := range s.open {
			s.cut(sess)
		}
		if s.connected == 0 && s.joining == 0 && s.handshakes.running == 0 {
			break
		}
		changed := s.change()
		s.mu.Unlock()
		<-changed
		s.mu.Lock()
	}
	s.mu.Unlock()
	s.ending.Wait()
	s.listeners.CloseAll()
}

// change is closed when a session or a handshake has ended. Call it with mu held.
func (s *Server) change() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}
