package link

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

func TestAnswers(t *testing.T) {
	var mux channel.Mux
	handle := func(name string, h func(ctx context.Context, m *channel.Message) error) {
		mux.Handle(name, func(ctx context.Context, _ channel.Conn, m *channel.Message) error { return h(ctx, m) })
	}
	var second error
	handle("echo", func(ctx context.Context, m *channel.Message) error { return m.ReplyMessage(ctx, m.Encoding, m.Body) })
	handle("nothing", func(context.Context, *channel.Message) error { return nil })
	handle("twice", func(ctx context.Context, m *channel.Message) error {
		_ = m.Reply(ctx, []byte("1"))
		second = m.Reply(ctx, []byte("2"))
		return errors.New("failed after that")
	})
	handle("large", func(ctx context.Context, m *channel.Message) error {
		n, _ := strconv.Atoi(string(m.Body))
		return m.Reply(ctx, make([]byte, n))
	})
	handle("bad-encoding", func(ctx context.Context, m *channel.Message) error { return m.ReplyMessage(ctx, 3, nil) })
	fail := func(name string, err error) {
		handle(name, func(context.Context, *channel.Message) error { return err })
	}
	fail("plain", errors.New("text"))
	fail("code", fmt.Errorf("wrapped: %w", channel.CodeBusy))
	fail("error", fmt.Errorf("wrapped: %w", &channel.Error{Code: 400, Text: "mine"}))
	fail("timeout", context.DeadlineExceeded)
	fail("canceled", context.Canceled)

	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &Config{MaxMessage: 1 << 20}, &Config{Mux: &mux, PeerMaxMessage: 1 << 20})
		b.Run()
		m, err := a.Request(t.Context(), "echo", channel.CBOR, []byte("body"))
		require.NoError(t, err)
		require.Equal(t, "body", string(m.Body))
		require.Equal(t, channel.CBOR, m.Encoding)
		require.Equal(t, "b", m.From.Name)
		m, err = a.Request(t.Context(), "nothing", channel.Raw, nil)
		require.NoError(t, err)
		require.Empty(t, m.Body)
		m, err = a.Request(t.Context(), "twice", channel.Raw, nil)
		require.NoError(t, err)
		require.Equal(t, "1", string(m.Body))
		synctest.Wait()
		require.ErrorIs(t, second, channel.ErrAnswered)
		for _, n := range []int{16384, 16385, 65504, 65505, 1<<20 - 32} {
			m, err = a.Request(t.Context(), "large", channel.Raw, strconv.AppendInt(nil, int64(n), 10))
			require.NoError(t, err)
			require.Len(t, m.Body, n)
		}
		require.Zero(t, a.answerPool.Used())
		_, err = a.Request(t.Context(), "large", channel.Raw, strconv.AppendInt(nil, 1<<20, 10))
		require.ErrorIs(t, err, channel.CodeTooLarge)
		_, err = a.Request(t.Context(), "bad-encoding", channel.Raw, nil)
		require.Error(t, err)
		for name, want := range map[string]channel.Error{
			"plain":    {Code: channel.CodeFailed, Text: "text", Remote: true},
			"code":     {Code: channel.CodeBusy, Remote: true},
			"error":    {Code: 400, Text: "mine", Remote: true},
			"timeout":  {Code: channel.CodeTimeout, Remote: true},
			"canceled": {Code: channel.CodeCanceled, Remote: true},
		} {
			_, err := a.Request(t.Context(), name, channel.Raw, nil)
			var e *channel.Error
			require.ErrorAs(t, err, &e, name)
			require.Equal(t, want, *e)
		}
		require.Empty(t, a.requests)
		require.Empty(t, b.asked)
		require.Zero(t, b.sched.answers)
	})
}

func TestCancelReachesTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, &Config{Mux: blocking()})
		b.Run()
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("changed my mind")
		var errs [2]error
		for i := range errs { // one is with the handler, one waits for it
			go func() { _, errs[i] = a.Request(ctx, "h", channel.Raw, nil) }()
		}
		synctest.Wait()
		cancel(why)
		synctest.Wait()
		require.Equal(t, [2]error{why, why}, errs)
		require.Empty(t, a.requests, "they were answered")
		require.Empty(t, b.asked)
	})
}

// A request that Receive returned can be answered, and has its end told when the asker gives up.
func TestReceivedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, nil)
		got := make(chan *channel.Message)
		go func() {
			m, _ := a.Request(t.Context(), "x", channel.Raw, nil)
			got <- m
		}()
		m, err := b.Receive(t.Context())
		require.NoError(t, err)
		require.True(t, m.IsRequest())
		require.NoError(t, m.Reply(t.Context(), []byte("yes")))
		require.Equal(t, "yes", string((<-got).Body))

		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = a.Request(ctx, "x", channel.Raw, nil) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		go func() { _ = a.Send(t.Context(), "x", channel.Raw, []byte("next")) }()
		m, err = b.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "next", string(m.Body), "nobody waits for the request")
		synctest.Wait()
		require.Empty(t, a.requests)
	})
}

// Handlers that ask for large answers while large messages wait for them do not wait for each other.
func TestLargeAnswersDoNotWaitForLargeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 12 << 20
		var muxA, muxB channel.Mux
		muxA.Handle("more", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			return m.Reply(ctx, make([]byte, size))
		})
		var b *Link
		muxB.Handle("work", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			_, err := b.Request(ctx, "more", channel.Raw, nil)
			return err
		})
		a, b2 := pair(t, &Config{Mux: &muxA}, &Config{Mux: &muxB})
		b = b2
		a.Run()
		b.Run()
		for range 3 {
			require.NoError(t, a.Send(t.Context(), "work", channel.Raw, make([]byte, size)))
		}
		require.NoError(t, a.Flush(t.Context()))
	})
}

func TestManyRequestsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		var answered atomic.Int32
		for range maxRequests + 5 {
			go func() {
				if _, err := l.Request(t.Context(), "x", channel.Raw, nil); err == nil {
					answered.Add(1)
				}
			}()
		}
		ids := map[uint32]bool{}
		count := func() (n int) {
			for _, f := range r.read() {
				if f.Type == wire.TypeMessage {
					start, _, err := wire.ParseMessageStart(f.Header, f.p)
					require.NoError(t, err)
					require.False(t, ids[start.Request])
					ids[start.Request] = true
					n++
				}
			}
			return n
		}
		require.Equal(t, maxRequests, count())
		r.write(repeat(5, func(i uint32) []byte { return wire.AppendAnswer(nil, i, 0, nil) }))
		require.Equal(t, 5, count())
		require.EqualValues(t, 5, answered.Load())
	})
}
