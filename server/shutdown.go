package server

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/pysock/pysock/channel"
)

// Shutdown ends the server in an orderly way: it takes no more connections, lets handlers that run finish, sends what was accepted for
// sending, and tells every client. It waits until that is done or ctx ends; then it cuts what is left and returns ctx's cause.
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
	drained := make(chan struct{})
	go func() { // stops when every session has been closed: here or, when ctx ends, by cutting them below
		draining.Wait()
		close(drained)
	}()
	var err error
	select {
	case <-drained:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.finish()
	<-drained
	return err
}

// Close ends the server at once: connections are cut, and clients see them as lost.
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
	s.mu.Unlock()
}

// finish cuts what is left and waits for it.
func (s *Server) finish() {
	s.cancel()
	for {
		s.mu.Lock()
		open := slices.Collect(maps.Keys(s.open))
		s.mu.Unlock()
		for _, sess := range open {
			sess.link.Cut(channel.ErrClosed)
		}
		s.mu.Lock()
		if len(s.open) == 0 && s.joining == 0 && s.handshakes.Len() == 0 {
			s.mu.Unlock()
			break
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		<-changed
	}
	s.ending.Wait()
	s.listeners.CloseAll()
}
