package link

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// record is a handler that notes what it is called with.
func record(got *[]string) channel.Handler {
	return func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		*got = append(*got, m.Channel+string(m.Body))
		return nil
	}
}

func sendAll(t *testing.T, l *Link, messages ...string) {
	t.Helper()
	for _, m := range messages {
		require.NoError(t, l.Send(t.Context(), m[:1], channel.Text, []byte(m[1:])))
	}
	synctest.Wait()
}

func TestNothingIsDispatchedBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var got []string
		mux.Handle("a", record(&got))
		a, b := pair(t, nil, &Config{Mux: &mux})
		sendAll(t, a, "a1", "a2")
		require.Empty(t, got)
		b.Run()
		b.Run()
		sendAll(t, a, "a3")
		require.Equal(t, []string{"a1", "a2", "a3"}, got)
	})
}

// Receive dispatches too; what has a handler never reaches it, and what has none is not refused.
func TestReceiveAndHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var got []string
		mux.Handle("a", record(&got))
		a, b := pair(t, nil, &Config{Mux: &mux})
		for _, m := range []string{"a1", "b1", "c1", "a2", "b2"} {
			sendAll(t, a, m)
		}
		for _, want := range []string{"b1", "c1", "b2"} {
			m, err := b.Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, m.Channel+string(m.Body))
			require.Equal(t, channel.Text, m.Encoding)
		}
		synctest.Wait()
		require.Equal(t, []string{"a1", "a2"}, got)
		b.Run()
		sendAll(t, a, "b3")
		require.ErrorIs(t, flushOf(t, a), context.Canceled, "held, not refused")
	})
}

// A handler that is registered late gets what is held for Receive first.
func TestHandlerRegisteredLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var got []string
		a, b := pair(t, nil, &Config{Mux: &mux})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.Receive(ctx)
		require.ErrorIs(t, err, context.Canceled)
		sendAll(t, a, "a1", "b1", "a2")
		mux.Handle("a", record(&got))
		sendAll(t, a, "a3", "b2")
		require.Equal(t, []string{"a1", "a2", "a3"}, got)
		for _, want := range []string{"b1", "b2"} {
			m, err := b.Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, m.Channel+string(m.Body))
		}
		require.NoError(t, a.Flush(t.Context()))
	})
}

// Messages that wait for a handler stay with it when its registration is withdrawn.
func TestFallbackWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var got []string
		release := make(chan struct{})
		mux.Fallback(func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			<-release
			return record(&got)(ctx, from, m)
		})
		a, b := pair(t, nil, &Config{Mux: &mux})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = b.Receive(ctx)
		sendAll(t, a, "a1", "a2")
		sendAll(t, a, "a3")
		mux.Fallback(nil)
		sendAll(t, a, "a4")
		close(release)
		synctest.Wait()
		require.Equal(t, []string{"a1", "a2", "a3"}, got)
		m, err := b.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "4", string(m.Body))
	})
}

func TestSlowHandlerStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		mux := blocking()
		mux.Handle("a", record(&got))
		a, b := pair(t, nil, &Config{Mux: mux})
		b.Run()
		sendAll(t, a, "h1", "a1", "h2", "a2")
		require.Equal(t, []string{"a1", "a2"}, got)
	})
}

func TestConcurrentHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var mu sync.Mutex
		running, most, total := 0, 0, 0
		release := make(chan struct{})
		mux.HandleConcurrent("c", 4, func(context.Context, channel.Conn, *channel.Message) error {
			mu.Lock()
			running++
			total++
			most = max(most, running)
			mu.Unlock()
			<-release
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		})
		a, b := pair(t, nil, &Config{Mux: &mux})
		b.Run()
		for range 10 {
			sendAll(t, a, "c1")
		}
		require.Equal(t, 4, total)
		require.Equal(t, uint64(4*33), b.in[0].total(), "taken when the handler starts")
		close(release)
		synctest.Wait()
		require.Equal(t, 10, total)
		require.Equal(t, 4, most)
		require.NoError(t, a.Flush(t.Context()))
	})
}

func TestPanicEndsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var got []string
		mux.Handle("p", func(context.Context, channel.Conn, *channel.Message) error { panic("ouch\x1b") })
		mux.Handle("a", record(&got))
		var log bytes.Buffer
		a, b := pair(t, nil, &Config{Mux: &mux, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		b.Run()
		sendAll(t, a, "p1", "a1")
		_, err := a.Request(t.Context(), "p", channel.Raw, nil)
		require.ErrorIs(t, err, channel.CodeInternal)
		sendAll(t, a, "p2", "a2")
		require.Equal(t, []string{"a1", "a2"}, got)
		require.Contains(t, log.String(), "dispatch_test.go", "the stack")
		require.NotContains(t, log.String(), "\x1b")
		require.NoError(t, b.Context().Err())
	})
}

func TestErrorOfAPlainHandlerIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		mux.Handle("e", func(context.Context, channel.Conn, *channel.Message) error { return errors.New("no luck") })
		var log bytes.Buffer
		a, b := pair(t, nil, &Config{Mux: &mux, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		b.Run()
		sendAll(t, a, "e")
		require.Contains(t, log.String(), "no luck")
	})
}

func TestQuiesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		handled, release := 0, make(chan struct{})
		mux.Handle("h", func(context.Context, channel.Conn, *channel.Message) error {
			handled++
			<-release
			return nil
		})
		a, b := pair(t, nil, &Config{Mux: &mux})
		b.Run()
		sendAll(t, a, "h1", "h2", "h3")
		done := make(chan struct{})
		go func() { b.Quiesce(t.Context()); close(done) }()
		synctest.Wait()
		require.NotNil(t, done)
		select {
		case <-done:
			t.Fatal("a handler runs")
		default:
		}
		close(release)
		<-done
		sendAll(t, a, "h4")
		require.Equal(t, 1, handled)
		require.Equal(t, uint64(33), b.in[0].total())
	})
}
