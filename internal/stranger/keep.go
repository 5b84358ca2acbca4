package stranger

import (
	"errors"
	"io"
)

// Resume goes on with the session over conn, whether or not the connection
// before still works, and returns c. If there is no such session any more, anew
// asks for another: then c is over and the client returned is new. An answer
// that says no ends the session; other errors do not.
func (c *Client) Resume(conn io.ReadWriteCloser, anew bool) (*Client, error) {
	c.resuming.Lock()
	defer c.resuming.Unlock()
	s := c.splice
	hello := c.hello
	sec, welcome, err := sayHello(conn, c.key, c.serverKey, &hello, func(h2 [32]byte) *Token {
		return s.token(h2, anew)
	})
	if err != nil {
		var no *Error
		if errors.As(err, &no) {
			s.finish(err)
		}
		s.allowAck()
		return nil, err
	}
	switch {
	case welcome.Resumed && s.check(hello.Token, welcome, [32]byte(sec.hash)) && welcome.Bound == c.Name:
		s.attach(sec, hello.Token.Attempt, welcome.Position, hello.Token.Position)
		return c, nil
	case !welcome.Resumed && anew:
		c.fail(ErrLost)
		s.finish(ErrLost)
		return newClient(sec, welcome, c.key, c.hello, c.cfg), nil
	}
	err = protocolError("a welcome that does not go on")
	s.finish(err)
	conn.Close()
	return nil, err
}

// token makes the next one, for the handshake of h2. Until its welcome is there nothing is acknowledged
// beyond its position.
func (s *splice) token(h2 [32]byte, anew bool) *Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempt++
	s.mayAck = s.arrived
	return &Token{
		Anew: anew, Session: s.id, Attempt: s.attempt, Position: s.arrived,
		Proof: proof(s.secret, "client", h2, s.id, s.attempt, s.arrived),
	}
}

// check tells whether a welcome goes on with the session; h is the handshake's.
func (s *splice) check(t *Token, w *Welcome, h [32]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return w.Features&featureResume != 0 && w.Session == s.id && s.acked <= w.Position && w.Position <= s.sent &&
		w.Proof == proof(s.secret, "server", h, s.id, t.Attempt, w.Position)
}

func (s *splice) allowAck() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mayAck = 1<<64 - 1
	s.cond.Broadcast()
}

// WaitLost waits until the connection is lost or old. It returns why, if the
// session is over.
func (c *Client) WaitLost() error {
	s := c.splice
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.strand != nil && !s.strand.stale && s.err == nil {
		s.cond.Wait()
	}
	return s.err
}

// Keep goes on over connections that dial makes, whenever one is lost, until
// the session is over or dial fails, and returns why.
func (c *Client) Keep(dial func() (io.ReadWriteCloser, error)) error {
	for {
		if err := c.WaitLost(); err != nil {
			return err
		}
		conn, err := dial()
		if err != nil {
			return err
		}
		if _, err = c.Resume(conn, false); err != nil {
			var no *Error
			if errors.As(err, &no) {
				return err
			}
		}
	}
}

// RetryIn is how many milliseconds the server said it will be away, if it did.
func (c *Client) RetryIn() (milliseconds uint32, said bool) {
	c.splice.mu.Lock()
	defer c.splice.mu.Unlock()
	if c.splice.retry == nil {
		return 0, false
	}
	return *c.splice.retry, true
}
