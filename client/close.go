package client

import (
	"context"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// Close closes the pipes, sends what Send accepted, and ends the client. For the network it waits at
// most 5 s, and before that as long for the pipes, if there are any. It does so also while the
// client is Resuming, 5 s in all, because the connection may come back and the server is to hear of
// the end: with nothing to send it returns nil after them. While there is no session it does not
// wait.
//
// The error is as channel.Conn says: a *channel.GapError if the server has not answered in that
// time, as when the connection is lost and does not come back, and messages to it are not known to
// have been taken. Nor does Close wait for what AtLeastOnce still has to send again when it is
// called: it returns a *channel.GapError then, too, as it does when messages were lost to the
// server and nobody has been told. What became of messages in pipes it does not return: call Flush
// on them first, or close them.
func (c *Client) Close() error { return c.CloseWithReason(channel.CodeClosed, "") }

// CloseWithReason is Close with a code and a text of at most 255 bytes that the server sees.
func (c *Client) CloseWithReason(code channel.Code, text string) error {
	return c.CloseContext(context.Background(), code, text)
}

// CloseContext is CloseWithReason for who has no time to lose: when ctx ends it waits no longer for
// the peers of its pipes, nor for a connection that is lost, and ends the session. If there is a
// connection the server is told, and ends with it what is left of the pipes, of which their peers
// hear as CodeGone; a session that is not ended it would keep for as long as one of a client that
// may come back. While there is a connection that takes a round-trip time more, or a few seconds if
// the server does not answer.
func (c *Client) CloseContext(ctx context.Context, code channel.Code, text string) error {
	begun := time.Now()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.keeper.ring()
	var closing sync.WaitGroup
	for _, p := range c.everyPipe() {
		closing.Go(func() {
			_ = p.CloseWithReason(code, text) // its error is of what the peer did not take; Flush tells
			// One that the peer is closing still has to say what was taken, and the session carries that.
			if l := p.conn.Link(); l != nil {
				<-l.Done() // a few seconds at most
			}
		})
	}
	closed := make(chan struct{})
	go func() { // stops with the pipes, which end with the session
		defer close(closed)
		closing.Wait()
	}()
	select {
	case <-closed:
	case <-ctx.Done():
	}
	if time.Since(begun) >= wire.CloseTimeout {
		c.cutIfGone() // the pipes have waited long enough
	}
	lost := c.conn.Link().Context().Err() != nil
	settled := context.AfterFunc(ctx, c.cutIfGone)
	err := c.conn.Close(code, text)
	settled()
	<-closed
	if lost {
		err = sessionLost(err)
	}
	c.keeper.stop()
	<-c.keeper.done
	c.listeners.CloseAll()
	c.fromServer.CloseAll()
	c.wg.Wait()
	return err
}

// cutIfGone ends the session without a word if there is no connection to say it on.
func (c *Client) cutIfGone() {
	if c.here.context() == gone {
		c.conn.Link().Cut(ErrOffline)
	}
}

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// ended ends what hangs on a client that has ended.
func (c *Client) ended() {
	if c.isClosed() {
		return // Close does it, in its own time
	}
	c.keeper.stop()
	for _, p := range c.Pipes() {
		p.conn.End(endOfPipes(context.Cause(c.conn.Context())))
	}
	c.states.set(func(*State) {}) // wakes who waits for the end
}

// endsWith reports whether the end of a session is the client's.
func (c *Client) endsWith(err error) bool {
	if c.cfg.NoReconnect {
		return true
	}
	closed := closedByPeer(err)
	return closed != nil && ofSession.refuses(closed.Code)
}
