package link

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// A Ping tells of the link's end alone: what became of messages is for those who send them.
func TestPingTellsNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t, nil, nil)
		require.NoError(t, a.Send(t.Context(), "x", channel.Raw, nil))
		done := make(chan error, 1)
		a.pings.waiting = make(chan struct{}) // one is under way that nobody answers
		go func() { _, err := a.Ping(t.Context()); done <- err }()
		synctest.Wait()
		a.Cut(channel.CodeTimeout)
		gapOf(t, context.Cause(a.Context()))
		for _, err := range []error{<-done, func() error { _, err := a.Ping(t.Context()); return err }()} {
			require.IsType(t, &channel.LostError{}, err)
			require.ErrorIs(t, err, channel.CodeTimeout)
		}
	})
}

// Nor does a request that waits to be sent, for credit or for its turn.
func TestRequestTellsNoGap(t *testing.T) {
	for name, under := range map[string]int{"for credit": 0, "for its turn": maxRequests} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _ := against(t, nil)
				require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
				for range under {
					go func() { _, _ = l.Request(t.Context(), "x", channel.Raw, nil) }()
				}
				synctest.Wait()
				done := make(chan error, 1)
				go func() { _, err := l.Request(t.Context(), "x", channel.Raw, make([]byte, 100000)); done <- err }()
				synctest.Wait()
				require.Empty(t, done)
				l.Cut(channel.CodeTimeout)
				gapOf(t, context.Cause(l.Context()))
				require.IsType(t, &channel.LostError{}, <-done)
			})
		})
	}
}

// Nor does an answer that waits when the link ends, to be granted or to be queued. It is not
// logged, as nobody waits for it any more.
func TestAnswerTellsNoGap(t *testing.T) {
	for name, size := range map[string]int{"for its grant": 1 << 20, "for room": 1000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mux channel.Mux
				var log strings.Builder
				answered := make(chan error, 2)
				mux.Handle("x", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
					err := m.Reply(context.Background(), make([]byte, size))
					answered <- err
					return err
				})
				cfg := &Config{Mux: &mux, PeerMaxMessage: wire.DefaultMaxMessage, Logger: slog.New(slog.NewTextHandler(&log, nil))}
				l, r := againstOver(t, memnet.Config{Buffer: 100}, cfg)
				l.Run()
				require.NoError(t, l.Send(t.Context(), "y", channel.Raw, make([]byte, 1000))) // more than leaves
				synctest.Wait()
				l.mu.Lock()
				l.sched.most = 1
				l.mu.Unlock()
				r.write(chFrame(1, "x"), reqFrames(1, 1, 0))
				synctest.Wait()
				if name == "for room" {
					require.NoError(t, <-answered)
					r.write(reqFrames(1, 2, 0))
					synctest.Wait()
				}
				require.Empty(t, answered)
				l.Cut(channel.CodeTimeout)
				gapOf(t, context.Cause(l.Context()))
				require.IsType(t, &channel.LostError{}, <-answered)
				l.Wait()
				require.Empty(t, log.String())
			})
		})
	}
}

// A handler whose answer cannot be sent, though the asker waits for it, is told apart from one that
// fails when it has answered.
func TestHandlersThatFailLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		var log strings.Builder
		mux.Handle("x", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return m.Reply(ctx, make([]byte, 1<<20))
		})
		mux.Handle("y", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			if err := m.Reply(ctx, nil); err != nil {
				return err
			}
			return context.DeadlineExceeded
		})
		l, r := against(t, &Config{Mux: &mux, PeerMaxMessage: wire.DefaultMaxMessage, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		l.Run()
		r.write(chFrame(1, "x"), reqFrames(1, 1, 0))
		require.Contains(t, r.lines(), "ANSWER 1 error 8")
		require.Contains(t, log.String(), `"pysock: a handler could not answer" channel=x`)
		r.write(chFrame(2, "y"), reqFrames(2, 2, 0))
		synctest.Wait()
		require.Contains(t, log.String(), `"pysock: a handler failed after it had answered" channel=y`)
	})
}
