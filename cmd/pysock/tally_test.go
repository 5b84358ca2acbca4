package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// sender is a connection that sends as a function says.
type sender struct {
	channel.Conn
	send  func() error
	ended error // why the connection has ended; nil if it has not
}

func (s sender) SendMessage(context.Context, *channel.Message) error { return s.send() }
func (s sender) Flush(context.Context) error                         { return s.send() }

func (s sender) Context() context.Context {
	if s.ended == nil {
		return context.Background()
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(s.ended)
	return ctx
}

// TestTallyBelievesNoFlushBesideARefusal: a refusal is told once. When a send hears of it, a flush
// at the same time finds nothing wrong.
func TestTallyBelievesNoFlushBesideARefusal(t *testing.T) {
	refusal := &channel.Error{Code: channel.CodeNoHandler, Remote: true}
	for _, c := range []struct {
		err  error
		want int64
	}{{refusal, 1}, {errors.New("another"), 2}} {
		x := &tally{}
		var err error
		conn := sender{send: func() error { return err }}
		for range 2 {
			require.NoError(t, x.send(t.Context(), conn, nil))
		}
		x.taken.Store(1) // as a flush before has learnt
		err = c.err
		conn.send = func() error {
			x.taken.Store(2) // and another meanwhile
			return err
		}
		require.ErrorIs(t, x.send(t.Context(), conn, nil), c.err)
		x.settle(conn)
		assert.Equal(t, c.want, x.taken.Load())
		assert.EqualValues(t, 2, x.sent.Load())
	}
}

// TestTallyOfARefusalAndAnEnd: what was refused is not taken, though nothing is missing when the
// connection ends right after.
func TestTallyOfARefusalAndAnEnd(t *testing.T) {
	refusal := &channel.Error{Code: channel.CodeNoHandler, Remote: true}
	for name, hear := range map[string]func(x *tally, conn channel.Conn) error{
		"send": func(x *tally, conn channel.Conn) error { return x.send(t.Context(), conn, nil) },
		"flush": func(x *tally, conn channel.Conn) error {
			more := make(chan struct{}, 1)
			more <- struct{}{}
			return x.follow(t.Context(), conn, more)
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := &tally{}
			x.sent.Store(5)
			x.taken.Store(2)
			conn := sender{send: func() error { return refusal }}
			require.ErrorIs(t, hear(x, conn), refusal)
			conn.ended = &channel.CloseError{Code: channel.CodeClosed}
			x.settle(conn)
			assert.EqualValues(t, 2, x.taken.Load())
			assert.True(t, x.missing())
		})
	}
}
