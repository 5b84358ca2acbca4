package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// slowConn takes one message after the other, each for a time, and at most a number of them.
type slowConn struct {
	channel.Conn
	each time.Duration
	one  chan struct{} // is full while a message is taken

	mu    sync.Mutex
	limit int // guarded by mu from here
	begun int
	most  int
}

func slow(each time.Duration, limit int) *slowConn {
	return &slowConn{each: each, limit: limit, one: make(chan struct{}, 1)}
}

var errBroken = errors.New("broken")

func (c *slowConn) SendAcked(ctx context.Context, _ string, _ []byte) error {
	c.mu.Lock()
	c.begun++
	c.most = max(c.most, c.begun)
	c.limit--
	broken := c.limit < 0
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.begun--
		c.mu.Unlock()
	}()
	if broken {
		return errBroken
	}
	c.one <- struct{}{}
	defer func() { <-c.one }()
	select {
	case <-time.After(c.each):
	case <-ctx.Done():
	}
	return context.Cause(ctx)
}

func TestInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slow(2*time.Millisecond, 600)
		r, err := load{rate: 60, size: 500_000, count: 600}.send(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, "600 messages of 500 kB taken in 10.0 s: 60.0 a second, 30.0 MB/s\n"+
			"late by at most: half of them 2ms, 99 % 2ms, all 2ms", r.String())
	})
}

// TestTooSlow has a receiver that takes only 10 a second: messages wait for it, and not in memory.
func TestTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slow(100*time.Millisecond, 60)
		r, err := load{rate: 60, size: 1000, count: 60}.send(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, maxAhead, c.most)
		assert.Equal(t, 6*time.Second, r.took)
		assert.Equal(t, 100*time.Millisecond, r.late[0])
		assert.InDelta(t, 5.0167, r.late[59].Seconds(), 0.001)
	})
}

func TestBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := load{rate: 60, size: 1000, count: 600}.send(t.Context(), slow(100*time.Millisecond, 5))
		assert.ErrorIs(t, err, errBroken)
		ctx, stop := context.WithTimeoutCause(t.Context(), time.Second, errBroken)
		defer stop()
		_, err = load{rate: 1, size: 1000, count: 10}.send(ctx, slow(0, 10))
		assert.ErrorIs(t, err, errBroken)
	})
}

func TestCheck(t *testing.T) {
	assert.NoError(t, load{rate: 60, size: 500_000, count: 600}.check())
	for _, l := range []load{{0, 1, 1}, {maxRate + 1, 1, 1}, {1, -1, 1}, {1, 1<<24 + 1, 1}, {1, 1, 0}, {1, 1, maxCount + 1}} {
		assert.Error(t, l.check(), "%+v", l)
	}
}
