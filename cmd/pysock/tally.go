package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/pysock/pysock/channel"
)

// tally counts what was sent, and what of it the other application is known to have taken.
type tally struct {
	sent, taken atomic.Int64

	mu      sync.Mutex
	refused bool  // a send or a flush heard that nobody handles the channel
	before  int64 // what was taken when that began
}

// refusedSince notes a refusal, and what was known to be taken when what has heard of it began.
func (t *tally) refusedSince(before int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.refused || before < t.before {
		t.refused, t.before = true, before
	}
}

// send sends a message and counts it. It is one's at a time.
func (t *tally) send(ctx context.Context, conn channel.Conn, m *channel.Message) error {
	before := t.taken.Load()
	if err := conn.SendMessage(ctx, m); err != nil {
		if errors.Is(err, channel.CodeNoHandler) {
			t.refusedSince(before)
		}
		return err
	}
	t.sent.Add(1)
	return nil
}

// follow asks again and again how much was taken, as long as there is more. It returns when more is
// closed and all that was sent has been taken. It is the only one that flushes: of two, one would
// not hear of a refusal. Nor does it of one that a send has heard of: see settle.
func (t *tally) follow(ctx context.Context, conn channel.Conn, more <-chan struct{}) error {
	for open := true; open; {
		_, open = <-more
		sent := t.sent.Load()
		if err := flush(ctx, conn); err != nil {
			if errors.Is(err, channel.CodeNoHandler) {
				t.refusedSince(t.taken.Load())
			}
			return err
		}
		t.taken.Store(sent)
	}
	return nil
}

// settle takes the numbers of a connection that has ended: those with which it did. Where a refusal
// was heard of nothing counts that was learnt after what heard of it had begun, and how the
// connection ends says nothing either: what was refused is given up, and not missing then. Call it
// when follow and send have returned.
func (t *tally) settle(conn channel.Conn) {
	var gap *channel.GapError
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.refused:
		t.taken.Store(min(t.taken.Load(), t.before))
	case conn.Context().Err() == nil:
	case errors.As(context.Cause(conn.Context()), &gap):
		t.taken.Store(int64(gap.Taken))
	default:
		t.taken.Store(t.sent.Load())
	}
}

// missing reports whether something was sent that is not known to have been taken.
func (t *tally) missing() bool { return t.taken.Load() < t.sent.Load() }

func (t *tally) String() string {
	return fmt.Sprintf("%d of %d lines are known to have been taken", t.taken.Load(), t.sent.Load())
}

// flush is conn.Flush, but that the connection has ended is no error if everything was taken before.
func flush(ctx context.Context, conn channel.Conn) error {
	err := conn.Flush(ctx)
	var gap *channel.GapError
	if err != nil && conn.Context().Err() != nil && errors.Is(err, context.Cause(conn.Context())) &&
		!errors.As(err, &gap) {
		return nil
	}
	return err
}
