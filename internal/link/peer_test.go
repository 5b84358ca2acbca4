package link

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// Who has another name now has it in what comes from now on, in answers and in the log; what came
// before keeps the name it came with.
func TestSetPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var mux channel.Mux
		mux.Handle("fail", func(context.Context, channel.Conn, *channel.Message) error { return errors.New("no") })
		a, b := pair(t, &Config{Mux: handling("h")}, &Config{Mux: &mux, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		a.Run()
		b.Pull()
		require.NoError(t, a.Send(t.Context(), "x", channel.Raw, nil))
		synctest.Wait()
		renamed := &channel.Peer{Name: "renamed"}
		b.SetPeer(renamed)
		require.Same(t, renamed, b.Peer())
		require.NoError(t, a.Send(t.Context(), "x", channel.Raw, nil))
		for _, want := range []string{"a", "renamed"} {
			m, err := b.Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, m.From.Name)
		}
		m, err := b.Request(t.Context(), "h", channel.Raw, nil)
		require.NoError(t, err)
		require.Same(t, renamed, m.From)
		require.NoError(t, a.SendAcked(t.Context(), "fail", channel.Raw, nil))
		synctest.Wait()
		require.Contains(t, log.String(), "peer=renamed")
	})
}

// handling is a mux with a handler that answers.
func handling(name string) *channel.Mux {
	var mux channel.Mux
	mux.Handle(name, func(context.Context, channel.Conn, *channel.Message) error { return nil })
	return &mux
}

// The hook hears of every error of a handler, also of such that an asker is told of, and of panics;
// then nothing is logged.
func TestErrorsAreReported(t *testing.T) {
	fails := errors.New("it does")
	for name, c := range map[string]struct {
		handler channel.Handler
		request bool
		answer  error
		logged  string // without a hook
	}{
		"error":            {func(context.Context, channel.Conn, *channel.Message) error { return fails }, false, nil, "a handler failed"},
		"error of request": {func(context.Context, channel.Conn, *channel.Message) error { return fails }, true, channel.CodeFailed, ""},
		"late": {func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			_ = m.Reply(ctx, nil)
			return fails
		}, true, nil, "failed after it had answered"},
		"panic": {func(context.Context, channel.Conn, *channel.Message) error { panic(fails) }, false, nil, "a handler panicked"},
		"panic of request": {func(context.Context, channel.Conn, *channel.Message) error { panic(fails) }, true, channel.CodeInternal,
			"a handler panicked"},
		"no error": {func(context.Context, channel.Conn, *channel.Message) error { return nil }, true, nil, ""},
	} {
		for _, hooked := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log bytes.Buffer
					var events []channel.ErrorEvent
					var mux channel.Mux
					mux.Handle("h", c.handler)
					if hooked {
						mux.OnError(func(e channel.ErrorEvent) { events = append(events, e) })
					}
					a, b := pair(t, nil, &Config{Mux: &mux, Logger: slog.New(slog.NewTextHandler(&log, nil))})
					b.Run()
					if c.request {
						_, err := a.Request(t.Context(), "h", channel.Raw, []byte("body"))
						require.ErrorIs(t, err, c.answer)
					} else {
						require.NoError(t, a.SendAcked(t.Context(), "h", channel.Raw, []byte("body")))
					}
					synctest.Wait()
					if !hooked {
						require.Contains(t, log.String(), c.logged)
						require.Equal(t, c.logged == "", log.Len() == 0)
						return
					}
					require.Empty(t, log.String())
					if name == "no error" {
						require.Empty(t, events)
						return
					}
					require.Len(t, events, 1)
					require.Equal(t, "body", string(events[0].Message.Body))
					require.Equal(t, "a", events[0].Message.From.Name)
					var panicked *channel.PanicError
					if errors.As(events[0].Err, &panicked) {
						require.Equal(t, fails, panicked.Value)
						require.Contains(t, string(panicked.Stack), "peer_test.go")
					} else {
						require.Equal(t, fails, events[0].Err)
					}
				})
			})
		}
	}
}
