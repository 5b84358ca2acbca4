package server

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// Shutdown ends the server in an orderly way: it takes no more connections, lets handlers that run
// finish, sends what was accepted for sending, and tells every client with CodeShutdown, those that
// can resume also when to come back (Server.ReturnAfter). Sessions of clients that are away end at
// once: nobody is there to be told. Shutdown waits until that is done, handlers of sessions that
// ended before included, or ctx ends; then it does with what is left as Close does, and returns
// ctx's cause without waiting for handlers that still run. Shutdown must not be called by a
// handler, which it would wait for: start a goroutine.
//
// What is on its way through pipes is not waited for: the server cannot see where a message ends,
// or what was taken. A pipe ends when the first of its two sessions does, what the relay still
// holds is dropped or delivered, and each end counts what the other's application is known to have
// taken. The rest comes back to its sender as a *channel.GapError, or is sent again when the client
// opens the pipe anew, whose sequences keep it from being taken twice.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	s.stopAccepting()
	var draining sync.WaitGroup
	all := slices.DeleteFunc(s.present(), s.isEnding)
	for _, sess := range all {
		draining.Go(func() {
			sess.link.Quiesce(ctx)
			if ctx.Err() != nil {
				return // finish ends it
			}
			sess.announce(s.returnOneOf(len(all)))
			s.noteClose(sess, channel.CodeShutdown, "")
			sess.drainOverflow(ctx, wire.CloseTimeout)
			_ = sess.link.Close(channel.CodeShutdown, "") // what it could not deliver, the client will miss and see why
		})
	}
	err := s.awaitHandlers(ctx)
	s.finish()
	draining.Wait() // every connection has ended
	return err
}

// isEnding reports whether the server ends a session already.
func (s *Server) isEnding(sess *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sess.ending
}

// returnsPerSecond is how many clients a server that was restarted gets back in a second: each
// costs a handshake and the opening of its pipes.
const returnsPerSecond = 500

// returnOneOf is when one of so many clients is to come back.
func (s *Server) returnOneOf(n int) time.Duration {
	after := s.ReturnAfter
	if after <= 0 {
		after = time.Second
	}
	return after + rand.N(time.Duration(n)*(time.Second/returnsPerSecond))
}

// announce tells the client that the session will end soon, and when to come back.
func (s *Session) announce(d time.Duration) {
	if s.conn != nil {
		s.conn.Announce(d)
	}
}

// Close ends the server at once: what was to be sent is dropped, and streams and pipes end. Clients
// are told so with CodeShutdown, those that can resume also when to come back (Server.ReturnAfter);
// a connection that has not ended after a second is cut, and its client sees it as lost. The ctx of
// handlers ends with their connection. Close does not wait for handlers, so that one may call it.
func (s *Server) Close() error {
	if err := s.start(); err != nil {
		return err
	}
	s.stopAccepting()
	s.finish()
	return nil
}

// stopAccepting closes the listeners, refuses who is in a handshake, and ends the sessions that are away.
func (s *Server) stopAccepting() {
	s.mu.Lock()
	s.draining = true
	s.endWaits()
	for ln := range s.accepting {
		ln.Close()
	}
	for e := s.away.Front(); e != nil; e = s.away.Front() {
		s.end(e.Value.(*Session), channel.CodeShutdown, "")
	}
	s.ended.Ring()
	s.mu.Unlock()
}

// awaitHandlers waits until no session holds anything, or ctx ends.
func (s *Server) awaitHandlers(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.open) > 0 {
		changed := s.ended.Wait()
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

// lastWords is how long clients may take to hear that the server goes down at once.
const lastWords = time.Second

// sayShutdown tells the clients that are left that the server goes down, and when to come back, and
// waits until their connections have ended with that, but no longer than lastWords.
func (s *Server) sayShutdown() {
	s.mu.Lock()
	var left []*Session
	for sess := range s.open {
		if !sess.ending && !sess.cut { // else it has its reason, or nobody to tell it to
			left = append(left, sess)
		}
	}
	s.mu.Unlock()
	for _, sess := range left {
		sess.announce(s.returnOneOf(len(left)))
		s.noteClose(sess, channel.CodeShutdown, "")
		sess.link.Kick(channel.CodeShutdown, "")
	}
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.connected > 0 {
		changed := s.ended.Wait()
		s.mu.Unlock()
		select {
		case <-changed:
			s.mu.Lock()
		case <-timer.C:
			s.mu.Lock()
			return
		}
	}
}

// finish ends what is left, and waits for connections and handshakes to end.
func (s *Server) finish() {
	s.sayShutdown()
	s.cancel() // not before: it would cut also who has its welcome already and has not left the handshake's hands
	s.mu.Lock()
	s.cutting = true
	for {
		for sess := range s.open {
			s.cutLink(sess, channel.ErrClosed)
		}
		if s.connected == 0 && s.joining == 0 && s.handshakes.running == 0 {
			break
		}
		changed := s.ended.Wait()
		s.mu.Unlock()
		<-changed
		s.mu.Lock()
	}
	if s.renewals != nil {
		s.renewals.Stop()
	}
	s.mu.Unlock()
	s.enders.Wait()
	s.listeners.CloseAll()
}
