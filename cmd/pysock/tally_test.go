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
	send func() error
}

func (s sender) SendMessage(context.Context, *channel.Message) error { return s.send() }
func (s sender) Context() context.Context                            { return context.Background() }

// TestTallyBelievesNoFlushBesideARefusal: a refusal is told once. When a send hears of it, a flush at the same time finds nothing wrong.
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
