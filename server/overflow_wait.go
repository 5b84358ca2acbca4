package server

import (
	"context"
	"time"
)

// wake lets those look again who wait. Call it with mu held.
func (o *overflow) wake() {
	o.moved.Ring()
	o.hold.wake()
}

// waitUntil waits until done, which is asked again whenever less waits than before.
func (o *overflow) waitUntil(ctx context.Context, done func() bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !done() {
		moved := o.moved.Wait()
		o.mu.Unlock()
		var err error
		select {
		case <-moved:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		o.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitEarlier waits until nothing that was sent to many waits any more on a channel, so that what
// comes now comes after it.
func (s *Session) awaitEarlier(ctx context.Context, name string) error {
	if s.fromServer.some.Load() == 0 {
		return nil
	}
	return s.fromServer.waitUntil(ctx, func() bool { return s.fromServer.queues[name] == nil })
}

// awaitAllEarlier is awaitEarlier for all channels.
func (s *Session) awaitAllEarlier(ctx context.Context) error {
	if s.fromServer.some.Load() == 0 {
		return nil
	}
	return s.fromServer.waitUntil(ctx, func() bool { return len(s.fromServer.queues) == 0 })
}

// close waits until nothing is sent any more, of a session that has ended.
func (o *overflow) close() {
	o.mu.Lock()
	o.closed = true
	o.wake()
	o.mu.Unlock()
	o.wg.Wait()
}

// takeUnhandled is what the client has refused, for want of a handler, of what waited in fromServer; once.
func (s *Session) takeUnhandled() error {
	s.fromServer.mu.Lock()
	defer s.fromServer.mu.Unlock()
	err := s.unhandled
	s.unhandled = nil
	return err
}

// drainOverflow gives what waits of the application's messages some time before the session is
// closed, and returns how many are left. It does not wait for a client that is away.
func (s *Session) drainOverflow(ctx context.Context, most time.Duration) (left int) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if most > 0 && !s.isAway() {
		_ = s.awaitAllEarlier(ctx) // what is left is counted
	}
	s.fromServer.mu.Lock()
	defer s.fromServer.mu.Unlock()
	for _, q := range s.fromServer.queues {
		for _, w := range q.items {
			if w.d != nil {
				left++
			}
		}
	}
	return left
}
