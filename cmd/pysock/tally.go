package main

import (
	"context"
	"sync/atomic"

	"github.com/pysock/pysock/channel"
)

// tally counts what was sent, and what of it the other application is known to have taken.
type tally struct {
	sent, taken atomic.Int64
}

// follow asks again and again how much was taken, as long as there is more. It returns when more is closed and all that was sent has
// been taken. It is the only one that flushes: of two, one would not hear of a refusal.
func (t *tally) follow(ctx context.Context, conn channel.Conn, more <-chan struct{}) error {
	for open := true; open; {
		_, open = <-more
		sent := t.sent.Load()
		if err := conn.Flush(ctx); err != nil {
			return err
		}
		t.taken.Store(sent)
	}
	return nil
}
