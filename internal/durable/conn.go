package durable

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
)

// Config says what becomes of a Conn when a link ends.
type Config struct {
	// Resend sends again what a link has left: at least once, and not at most once. The books keep
	// a copy of each message's body until it is taken.
	Resend bool

	// Wait is how long the Conn may be without a link before it ends, for the reason that the last
	// one had. 0: it ends with its first link. Negative: it waits until End.
	Wait time.Duration

	// Final reports whether the end of a link is that of the Conn; nil: when the other side has
	// closed it, a *channel.CloseError. An end by Close always is. It is called with a lock held
	// and must not call the Conn.
	Final func(err error) bool

	// Lost is told that a link has ended and another may follow; nil for nobody. It is called on a
	// goroutine of its own, without locks.
	Lost func(err error)
}

// Conn is one connection over successive links. Its methods may be called by several goroutines at once.
type Conn struct {
	cfg   Config
	books *link.Books

	ctx    context.Context // done when the Conn is
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup // links that have not been waited for, and calls of Lost

	// present is the link that calls go to without asking further; nil if there is something to
	// ask: no link, or a gap to tell.
	present atomic.Pointer[link.Link]

	mu      sync.Mutex
	last    *link.Link        // the present link, or the last one
	alive   bool              // last has not ended
	drain   *link.Link        // the one before, closed by the other side: what has arrived on it comes first; nil if there is none
	reason  error             // why the last link has ended
	gap     *channel.GapError // of the channels that nobody has been told of; nil if there are none
	heard   bool              // a caller has been told of all that the last link left, or of the end
	ended   bool              // no link will follow
	changed chan struct{}     // closed and replaced when any of these changes; nil while nobody waits
	timer   *time.Timer       // ends the Conn if no link comes
	run     bool              // Run was called
	pull    bool              // Receive was called
}

// New makes a Conn that has no link yet. Calls wait for its first one.
func New(cfg *Config) *Conn {
	c := &Conn{cfg: *cfg, books: link.NewBooks(cfg.Resend)}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c
}

// Books are for the link.Config of each link. Whoever makes a link to a responder calls Welcomed on them first.
func (c *Conn) Books() *link.Books { return c.books }

// Link is the present link, or the last one; nil before the first.
func (c *Conn) Link() *link.Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Context is done when the Conn is, not when a link is. Its cause is channel.ErrClosed after Close,
// or what End was called with, or why the last link ended: a *channel.GapError with that in it if
// messages are not known to have been taken.
func (c *Conn) Context() context.Context { return c.ctx }

// Wait returns when the Conn has ended and every goroutine of its links has too, handlers included.
func (c *Conn) Wait() {
	<-c.ctx.Done()
	c.wg.Wait()
}

// errNewer is of a link that was made before the one that the Conn has.
var errNewer = errors.New("a newer connection is there already")

// Attach lets the Conn go on with a link that was made with its Books. Making it has ended the one
// before, if that was there still. It does not wait, neither for handlers of that one nor for what
// is sent again. If the Conn has ended, or has a newer link, this one is cut and the reason
// returned; if the link has ended already, that is an end like any.
func (c *Conn) Attach(l *link.Link) error {
	c.mu.Lock()
	if c.last != nil {
		c.linkEnded(c.last)
	}
	if c.ended || c.alive {
		c.mu.Unlock()
		err := errNewer
		if c.ctx.Err() != nil {
			err = context.Cause(c.ctx)
		}
		l.Cut(err)
		return err
	}
	defer c.mu.Unlock()
	if c.last != nil {
		c.leave(c.last)
	}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.last, c.alive, c.heard = l, true, false
	switch {
	case c.pull:
		l.Pull()
	case c.run:
		l.Run()
	}
	c.wg.Add(1)
	context.AfterFunc(l.Context(), func() {
		defer c.wg.Done()
		c.mu.Lock()
		c.linkEnded(l)
		c.mu.Unlock()
		l.Wait()
	})
	if c.cfg.Resend {
		c.wg.Go(func() { c.resend(l) }) // stops when all is sent again, or the link ends
	}
	c.publish()
	c.wake()
	return nil
}

// leave lets go of a link that another follows. Of what has arrived on it, only what came before an
// orderly close is still taken. Call it with mu held.
func (c *Conn) leave(l *link.Link) {
	if c.drain != nil {
		c.drain.Retire()
		c.drain = nil
	}
	var closed *channel.CloseError
	if errors.As(c.reason, &closed) {
		c.drain = l
		return
	}
	l.Retire()
}

// resend sends again what earlier links have left. That the other side does not take it any more
// ends the Conn: there is no way to tell anybody sooner.
func (c *Conn) resend(l *link.Link) {
	err := l.Resend(l.Context())
	if err != nil && !l.Ended(err) && l.Context().Err() == nil {
		c.End(err)
	}
}

// linkEnded notes the end of the last link, if it has ended and that is not known yet. Call it with mu held.
func (c *Conn) linkEnded(l *link.Link) {
	if c.ended || l != c.last || !c.alive || l.Context().Err() == nil {
		return
	}
	c.alive = false
	c.reason = context.Cause(l.Context())
	c.present.Store(nil)
	var gap *channel.GapError
	if errors.As(c.reason, &gap) && !c.cfg.Resend {
		c.noteGap(gap)
	}
	if c.reason == channel.ErrClosed || c.cfg.Wait == 0 || c.final(c.reason) {
		c.end(c.reason)
		return
	}
	if c.cfg.Wait > 0 {
		reason := c.reason
		c.timer = time.AfterFunc(c.cfg.Wait, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if !c.alive && c.last == l {
				c.end(reason)
			}
		})
	}
	if c.cfg.Lost != nil {
		reason := c.reason
		c.wg.Go(func() { c.cfg.Lost(reason) })
	}
	c.wake()
}

func (c *Conn) final(err error) bool {
	if c.cfg.Final != nil {
		return c.cfg.Final(err)
	}
	var closed *channel.CloseError
	return errors.As(err, &closed)
}

// End says that no other link will come, and why. A link that is there is cut. What is not known to
// have been taken, or was lost and nobody has been told of, comes with err in a *channel.GapError.
// It does nothing to a Conn that has ended.
func (c *Conn) End(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	l, alive := c.last, c.alive
	c.end(err)
	if alive {
		c.wg.Go(func() { l.Cut(err) }) // stops when the link's reader has; End may be called by a handler
	}
}

// end ends the Conn. Call it with mu held.
func (c *Conn) end(err error) {
	if c.ended {
		return
	}
	if err != channel.ErrClosed {
		err = c.ending(err)
	}
	if c.alive || c.gap != nil {
		c.heard = false
	}
	c.ended, c.alive = true, false
	c.present.Store(nil)
	if err == channel.ErrClosed && c.drain != nil {
		c.drain.Retire()
		c.drain = nil
	}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.cancel(err)
	c.wake()
}

// publish lets calls go to the link without asking, if there is nothing to ask. Call it with mu held.
func (c *Conn) publish() {
	if c.alive && c.gap == nil {
		c.present.Store(c.last)
	}
}

// wake wakes those who wait for a change. Call it with mu held.
func (c *Conn) wake() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}
