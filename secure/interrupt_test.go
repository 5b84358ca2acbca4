package secure

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A peer that says nothing is given up after Timeout, at each step.
func TestTimeout(t *testing.T) {
	ctx := context.Background() // one that bubbles may share
	for name, run := range map[string]func(ci, cr *Config, a, b net.Conn) error{
		"initiator, no reader": func(ci, cr *Config, a, b net.Conn) error {
			_, err := Initiate(ctx, a, ci)
			return err
		},
		"initiator, no message 2": func(ci, cr *Config, a, b net.Conn) error {
			go io.Copy(io.Discard, b)
			_, err := Initiate(ctx, a, ci)
			return err
		},
		"initiator, no verdict": func(ci, cr *Config, a, b net.Conn) error {
			go Accept(ctx, b, cr)
			_, err := Initiate(ctx, a, ci)
			return err
		},
		"responder, nothing": func(ci, cr *Config, a, b net.Conn) error {
			_, err := Accept(ctx, b, cr)
			return err
		},
		"responder, no message 3": func(ci, cr *Config, a, b net.Conn) error {
			go func() {
				preamble := local.preamble()
				hs, _ := ci.noise(true, preamble)
				out, _ := frame(preamble[:], func(b []byte) ([]byte, error) { return hs.WriteMessage(b, nil) })
				a.Write(out)
				readMessage2(a)
			}()
			_, err := Accept(ctx, b, cr)
			return err
		},
		"responder, verdict not read": func(ci, cr *Config, a, b net.Conn) error {
			go initiate(ctx, a, ci) // up to message 3 and no further
			p, err := Accept(ctx, b, cr)
			if err != nil {
				return errors.New("too early")
			}
			_, err = p.Welcome(ctx, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				defer a.Close()
				defer b.Close()
				ci, cr := configs(t)
				ci.Timeout, cr.Timeout = 3*time.Second, 3*time.Second
				start := time.Now()
				err := run(ci, cr, a, b)
				require.ErrorIs(t, err, ErrTimeout)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				var ne net.Error
				require.ErrorAs(t, err, &ne)
				require.True(t, ne.Timeout())
				require.Equal(t, 3*time.Second, time.Since(start))
				_, err = a.Write([]byte("x"))
				require.Error(t, err, "the connection must be closed")
			})
		})
	}
}

func TestContext(t *testing.T) {
	why := errors.New("shutting down")
	for name, tc := range map[string]struct {
		cancel func(context.Context) (context.Context, func())
		want   []error
	}{
		"cancelled": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancel(ctx)
			return ctx, cancel
		}, []error{context.Canceled}},
		"cause": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			return ctx, func() { cancel(why) }
		}, []error{context.Canceled, why}},
		"deadline": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			return ctx, func() { <-ctx.Done(); cancel() }
		}, []error{context.DeadlineExceeded}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				defer a.Close()
				ci, cr := configs(t)
				ctx, cancel := tc.cancel(t.Context())
				x := initiateAsync(ctx, bare{a}, ci)
				synctest.Wait()
				cancel()
				r := <-x
				for _, want := range tc.want {
					require.ErrorIs(t, r.err, want)
				}
				require.NotErrorIs(t, r.err, ErrTimeout)

				// Already done when it begins.
				_, err := Accept(ctx, b, cr)
				require.Error(t, err)
			})
		})
	}
}

// Waiting for the gate ends with ctx, and a place is given back.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1)
		hold, held := make(chan struct{}), make(chan error, 1)
		go func() { held <- g.run(t.Context(), func() error { <-hold; return nil }) }()
		synctest.Wait()
		a, b := net.Pipe()
		defer b.Close()
		ci, _ := configs(t)
		ci.Gate, ci.Timeout = g, time.Second
		_, err := Initiate(t.Context(), a, ci)
		require.ErrorIs(t, err, ErrTimeout)
		close(hold)
		require.NoError(t, <-held)
		require.NoError(t, g.run(t.Context(), func() error { return nil }))
	})
}

// Who is gone when its turn comes costs nothing.
func TestGateAfterCancel(t *testing.T) {
	g := NewGate(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // select takes the free place or ctx at random
		err := g.run(ctx, func() error { t.Error("computed for nobody"); return nil })
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NoError(t, g.run(t.Context(), func() error { return nil }))
}
