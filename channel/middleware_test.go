package channel_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// notes is middleware that writes down when it is passed.
func notes(into *[]string, name string) func(channel.Handler) channel.Handler {
	return func(next channel.Handler) channel.Handler {
		return func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			*into = append(*into, name+" "+m.Channel)
			defer func() { *into = append(*into, name+" done") }()
			return next(ctx, from, m)
		}
	}
}

// Middleware is round the same handlers in the same order, whether it came before them, after them or in between.
func TestUseBeforeAndAfterHandle(t *testing.T) {
	for name, register := range map[string]func(mux *channel.Mux, handle func(), a, b func(channel.Handler) channel.Handler){
		"before": func(mux *channel.Mux, handle func(), a, b func(channel.Handler) channel.Handler) {
			mux.Use(a, b)
			handle()
		},
		"after": func(mux *channel.Mux, handle func(), a, b func(channel.Handler) channel.Handler) {
			handle()
			mux.Use(a, b)
		},
		"after, by turns": func(mux *channel.Mux, handle func(), a, b func(channel.Handler) channel.Handler) {
			handle()
			mux.Use(a)
			mux.Use(b)
		},
		"in between": func(mux *channel.Mux, handle func(), a, b func(channel.Handler) channel.Handler) {
			mux.Use(a)
			handle()
			mux.Use(b)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var mux channel.Mux
			var seen []string
			conn := &loop{mux: &mux}
			register(&mux, func() {
				mux.Handle("raw", func(context.Context, channel.Conn, *channel.Message) error { seen = append(seen, "raw"); return nil })
				mux.HandleConcurrent("many", 7, returns(300))
				mux.Fallback(func(context.Context, channel.Conn, *channel.Message) error {
					seen = append(seen, "fallback")
					return nil
				})
				channel.Of[int]("typed").Handle(&mux, func(context.Context, channel.Conn, int) error {
					seen = append(seen, "typed")
					return nil
				})
				channel.NewSignal("signal").Handle(&mux, func(context.Context, channel.Conn) error {
					seen = append(seen, "signal")
					return nil
				})
				channel.Respond(&mux, "square", func(_ context.Context, _ channel.Conn, n int) (int, error) {
					seen = append(seen, "square")
					return n * n, nil
				})
			}, notes(&seen, "a"), notes(&seen, "b"))

			for _, c := range []struct {
				send    func() error
				channel string
				handler []string
			}{
				{func() error { return conn.Send(t.Context(), "raw", nil) }, "raw", []string{"raw"}},
				{func() error { return conn.Send(t.Context(), "other", nil) }, "other", []string{"fallback"}},
				{func() error { return channel.Of[int]("typed").Send(t.Context(), conn, 1) }, "typed", []string{"typed"}},
				{func() error { return channel.Of[string]("typed").Send(t.Context(), conn, "") }, "typed", nil},
				{func() error { return channel.NewSignal("signal").Send(t.Context(), conn) }, "signal", []string{"signal"}},
				{func() error { _, err := channel.Request[int](t.Context(), conn, "square", 2); return err }, "square", []string{"square"}},
			} {
				seen = nil
				require.NoError(t, c.send())
				want := append([]string{"a " + c.channel, "b " + c.channel}, c.handler...)
				assert.Equal(t, append(want, "b done", "a done"), seen)
			}
			assert.Equal(t, 7, mux.Route("many").Concurrent)
			assert.Equal(t, channel.Code(300), mux.Route("many").Handler(t.Context(), nil, new(channel.Message)))
		})
	}
}

func TestMiddlewareDecidesWhatGoesOn(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	mux.Use(func(next channel.Handler) channel.Handler {
		return func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			switch string(m.Body) {
			case "stop":
				return channel.CodeRefused
			case "panic":
				panic("in middleware")
			}
			if err := next(ctx, from, m); err != nil {
				return fmt.Errorf("seen: %w", err)
			}
			return nil
		}
	})
	calls := 0
	mux.Handle("a", func(context.Context, channel.Conn, *channel.Message) error { calls++; return channel.CodeBusy })
	_, err := conn.Request(t.Context(), "a", []byte("stop"))
	assert.ErrorIs(t, err, channel.CodeRefused)
	_, err = conn.Request(t.Context(), "a", []byte("panic"))
	assert.Equal(t, &channel.Error{Code: channel.CodeInternal, Remote: true}, err, "what panicked is not for the sender")
	assert.Zero(t, calls)
	_, err = conn.Request(t.Context(), "a", nil)
	assert.ErrorIs(t, err, channel.CodeBusy)
	require.NoError(t, conn.Send(t.Context(), "a", nil))
	assert.ErrorContains(t, conn.logged[0], "seen: busy")
	assert.Equal(t, 2, calls)
	_, err = conn.Request(t.Context(), "unknown", nil)
	assert.ErrorIs(t, err, channel.CodeNoHandler, "middleware makes no handler")
}

// A connection keeps a route as long as the version is the same, so middleware is composed when it
// is registered and never again.
func TestUseChangesTheVersionOnce(t *testing.T) {
	var mux channel.Mux
	composed := 0
	count := func(next channel.Handler) channel.Handler { composed++; return next }
	mux.Handle("a", returns(300))
	mux.Handle("b", returns(300))
	mux.Fallback(returns(300))
	before, route := mux.Version(), mux.Route("a")
	mux.Use()
	assert.Equal(t, before, mux.Version())
	mux.Use(count, count)
	assert.Equal(t, before+1, mux.Version())
	assert.Equal(t, 6, composed)
	assert.NotSame(t, route, mux.Route("a"))

	for _, name := range []string{"a", "b", "other"} {
		assert.Same(t, mux.Route(name), mux.Route(name))
	}
	assert.Same(t, mux.Route("other"), mux.Route("another"), "the fallback's")
	mux.Handle("c", returns(300))
	assert.Equal(t, 8, composed)
	mux.Fallback(nil)
	assert.Nil(t, mux.Route("other"))
	mux.Use(count)
	assert.Nil(t, mux.Route("other"))
}

func TestMistakesWithMiddlewarePanic(t *testing.T) {
	var mux channel.Mux
	mux.Handle("a", returns(300))
	mux.Fallback(returns(301))
	before, route, other := mux.Version(), mux.Route("a"), mux.Route("other")
	none := func(channel.Handler) channel.Handler { return nil }
	same := func(next channel.Handler) channel.Handler { return next }
	assert.PanicsWithValue(t, "channel: nil middleware", func() { mux.Use(same, nil) })
	assert.PanicsWithValue(t, "channel: middleware made a nil handler", func() { mux.Use(same, none, same) })
	assert.Panics(t, func() { mux.Use(func(channel.Handler) channel.Handler { panic("own") }) })
	assert.Equal(t, before, mux.Version())
	assert.Same(t, route, mux.Route("a"))
	assert.Same(t, other, mux.Route("other"))

	made := 0
	mux.Use(func(next channel.Handler) channel.Handler {
		if made++; made > 2 {
			return nil
		}
		return next
	})
	before, other = mux.Version(), mux.Route("other")
	assert.Panics(t, func() { mux.Handle("b", returns(300)) })
	assert.Panics(t, func() { mux.Fallback(returns(300)) })
	assert.Equal(t, before, mux.Version())
	assert.Same(t, other, mux.Route("b"), "what panicked registered nothing, and let go of the lock")
}

func TestTheErrorHook(t *testing.T) {
	own := errors.New("own")
	var mux channel.Mux
	conn := &loop{mux: &mux}
	mux.Handle("fails", func(context.Context, channel.Conn, *channel.Message) error { return own })
	mux.Handle("panics", func(context.Context, channel.Conn, *channel.Message) error { panic("bad\n\x1b[2J") })
	mux.Handle("works", func(context.Context, channel.Conn, *channel.Message) error { return nil })

	require.NoError(t, conn.Send(t.Context(), "fails", nil))
	require.Len(t, conn.logged, 1, "without a hook it is logged")

	var events []channel.ErrorEvent
	before := mux.Version()
	mux.OnError(func(e channel.ErrorEvent) { events = append(events, e) })
	assert.Equal(t, before, mux.Version(), "it is no route")
	for _, name := range []string{"fails", "panics", "works"} {
		require.NoError(t, conn.Send(t.Context(), name, []byte(name)))
	}
	_, err := conn.Request(t.Context(), "fails", nil)
	assert.Equal(t, &channel.Error{Code: channel.CodeFailed, Text: "own", Remote: true}, err, "the hook is beside the answer")
	require.Len(t, conn.logged, 1)
	require.Len(t, events, 3)

	assert.Equal(t, own, events[0].Err)
	assert.Equal(t, "fails", events[0].Message.Channel)
	assert.Equal(t, "loop", events[0].Message.From.Name)
	assert.True(t, events[2].Message.IsRequest())
	var pe *channel.PanicError
	require.ErrorAs(t, events[1].Err, &pe)
	assert.Equal(t, "bad\n\x1b[2J", pe.Value)
	assert.Contains(t, string(pe.Stack), "middleware_test.go")
	assert.Equal(t, `panic: "bad\n\x1b[2J"`, pe.Error())
	assert.ErrorIs(t, pe, channel.CodeInternal)

	mux.OnError(nil)
	require.NoError(t, conn.Send(t.Context(), "fails", nil))
	assert.Len(t, events, 3)
	assert.Len(t, conn.logged, 2)
}

func TestAHookThatPanicsTakesNothing(t *testing.T) {
	var mux channel.Mux
	assert.False(t, mux.Report(channel.ErrorEvent{}))
	assert.False(t, (*channel.Mux)(nil).Report(channel.ErrorEvent{}))
	mux.OnError(func(channel.ErrorEvent) {})
	assert.True(t, mux.Report(channel.ErrorEvent{}))

	logged := captureLog(t)
	mux.OnError(func(channel.ErrorEvent) { panic("the hook's own") })
	assert.False(t, mux.Report(channel.ErrorEvent{Err: channel.CodeBusy}))
	assert.Contains(t, logged.String(), "the hook's own")
	assert.Contains(t, logged.String(), "stack=")
}
