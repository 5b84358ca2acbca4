package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// A call that waits for a link stops at the end of its ctx, or of the Conn.
func TestWaitingForALinkStops(t *testing.T) {
	calls := map[string]func(ctx context.Context, c *Conn) error{
		"Send":       func(ctx context.Context, c *Conn) error { return c.Send(ctx, "x", channel.Raw, nil) },
		"SendAcked":  func(ctx context.Context, c *Conn) error { return c.SendAcked(ctx, "x", channel.Raw, nil) },
		"Request":    func(ctx context.Context, c *Conn) error { _, err := c.Request(ctx, "x", channel.Raw, nil); return err },
		"OpenStream": func(ctx context.Context, c *Conn) error { _, err := c.OpenStream(ctx, "x"); return err },
		"Receive":    func(ctx context.Context, c *Conn) error { _, err := c.Receive(ctx); return err },
		"Ping":       func(ctx context.Context, c *Conn) error { _, err := c.Ping(ctx); return err },
	}
	for name, call := range calls {
		for _, before := range []string{"first", "later"} {
			t.Run(name+" "+before, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, Config{Wait: -1})
					if before == "later" {
						w.attach()
						w.cut()
						<-w.lost
					}
					ctx, cancel := context.WithCancelCause(t.Context())
					got := async(func() error { return call(ctx, w.c) })
					synctest.Wait()
					require.Empty(t, got)
					cancel(io.ErrShortWrite)
					require.ErrorIs(t, <-got, io.ErrShortWrite)
					got = async(func() error { return call(background, w.c) })
					synctest.Wait()
					w.c.End(io.ErrNoProgress)
					require.ErrorIs(t, <-got, io.ErrNoProgress)
					require.ErrorIs(t, call(background, w.c), io.ErrNoProgress)
					require.ErrorIs(t, context.Cause(w.c.Context()), io.ErrNoProgress)
				})
			})
		}
	}
}

func TestHowItEnds(t *testing.T) {
	closed := func(code channel.Code) func(w *world) {
		return func(w *world) { _ = w.there.Close(code, "") }
	}
	notShutdown := func(err error) bool { return !errors.Is(err, channel.CodeShutdown) }
	for name, test := range map[string]struct {
		cfg   Config
		end   func(w *world)
		lives bool
	}{
		"lost, first link only":     {Config{}, (*world).cut, false},
		"lost":                      {Config{Wait: time.Minute}, (*world).cut, true},
		"closed":                    {Config{Wait: time.Minute}, closed(channel.CodeShutdown), false},
		"closed, and that is final": {Config{Wait: time.Minute, Final: notShutdown}, closed(channel.CodeKicked), false},
		"closed for now":            {Config{Wait: time.Minute, Final: notShutdown}, closed(channel.CodeShutdown), true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, resend := range []bool{false, true} {
					cfg := test.cfg
					cfg.Resend = resend
					w := newWorld(t, cfg)
					w.attach()
					require.NoError(t, w.send("x", "1"))
					require.NoError(t, w.send("x", "2"))
					w.take()
					test.end(w)
					synctest.Wait()
					require.Equal(t, test.lives, w.c.Context().Err() == nil)
					begin := time.Now()
					<-w.c.Context().Done()
					if test.lives {
						require.Equal(t, time.Minute, time.Since(begin))
						require.Len(t, w.lost, 1)
					} else {
						require.Empty(t, w.lost)
					}
					err := context.Cause(w.c.Context())
					g := gapOf(t, err)
					require.Equal(t, uint64(2), g.Sent)
					require.Equal(t, err, w.send("x", "3"))
					require.Equal(t, err, w.c.Flush(t.Context()))
					require.Equal(t, err, w.c.Close(0, ""))
					w.c.End(io.ErrNoProgress)
					require.Equal(t, err, context.Cause(w.c.Context()))
					require.Equal(t, err, w.c.Attach(w.link()))
					w.c.Wait()
				}
			})
		})
	}
}

// Nothing that was sent is lost with a Conn whose messages have all been taken: Flush says so, as that of a link does.
func TestFlushAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"ended":                func(w *world) { w.c.End(io.ErrNoProgress) },
		"closed":               func(w *world) { _ = w.c.Close(0, "") },
		"closed there":         func(w *world) { _ = w.there.Close(channel.CodeKicked, "") },
		"lost":                 func(w *world) { w.cut(); <-time.After(time.Minute) },
		"lost, and then ended": func(w *world) { w.cut(); <-w.lost; w.c.End(io.ErrNoProgress) },
	} {
		for _, resend := range []bool{false, true} {
			for _, last := range []string{"taken", "not taken"} {
				t.Run(fmt.Sprintf("%s, %s, resend %v", name, last, resend), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, Config{Resend: resend, Wait: time.Minute})
						w.attach()
						require.NoError(t, w.send("x", "1"))
						w.take()
						require.NoError(t, w.c.Flush(t.Context()))
						if last == "not taken" {
							require.NoError(t, w.send("x", "2"))
						}
						end(w)
						<-w.c.Context().Done()
						err := w.c.Flush(t.Context())
						if last == "taken" {
							require.NoError(t, err)
						} else {
							require.Equal(t, context.Cause(w.c.Context()), err)
						}
						require.Error(t, w.send("x", "3"))
					})
				})
			}
		}
	}
	t.Run("without any link", func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1})
		w.c.End(io.ErrNoProgress)
		require.NoError(t, w.c.Flush(t.Context()))
	})
}

// The timer is that of the last loss.
func TestWaitBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: time.Minute})
		for range 5 {
			w.attach()
			w.cut()
			<-w.lost
			<-time.After(59 * time.Second)
			require.NoError(t, w.c.Context().Err())
		}
		w.attach()
		<-time.After(time.Hour)
		require.NoError(t, w.c.Context().Err())
	})
}

func TestClose(t *testing.T) {
	t.Run("with a link", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Wait: -1, Resend: true})
			w.attach()
			require.NoError(t, w.send("x", "1"))
			require.NoError(t, w.c.Close(300, "bye"))
			require.Equal(t, channel.ErrClosed, context.Cause(w.c.Context()))
			require.Equal(t, "1", string(w.take().Body), "what was sent before has come")
			require.ErrorIs(t, context.Cause(w.there.Context()), channel.Code(300))
			require.NoError(t, w.c.Close(0, ""))
			_, err := w.c.Receive(t.Context())
			require.Equal(t, channel.ErrClosed, err)
			require.Equal(t, channel.ErrClosed, w.c.Attach(w.link()))
			require.Empty(t, w.lost)
		})
	})
	t.Run("without a link", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Wait: -1})
			require.NoError(t, w.c.Close(0, ""), "there never was one")
			for _, resend := range []bool{false, true} {
				w := newWorld(t, Config{Wait: -1, Resend: resend})
				w.attach()
				require.NoError(t, w.send("x", "1"))
				w.cut()
				<-w.lost
				require.Equal(t, uint64(1), gapOf(t, w.c.Close(0, "")).Sent)
				require.Equal(t, channel.ErrClosed, context.Cause(w.c.Context()))
			}
		})
	})
	t.Run("a gap that nobody was told of", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Wait: -1})
			w.attach()
			require.NoError(t, w.send("x", "1"))
			w.cut()
			<-w.lost
			w.attach()
			require.Equal(t, uint64(1), gapOf(t, w.c.Close(0, "")).Sent)
		})
	})
	t.Run("before all was sent again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Wait: -1, Resend: true})
			w.attach()
			large := async(func() error { return w.c.Send(t.Context(), "x", channel.Raw, make([]byte, 100000)) })
			require.NoError(t, <-large)
			w.cut()
			<-w.lost
			w.cfg.MaxMessage = wire.MinMaxMessage // its pool is never large enough
			w.attach()
			synctest.Wait()
			require.True(t, isGap(w.c.Close(0, "")) || isGap(context.Cause(w.c.Context())))
		})
	})
}

// An end while a gap has not been told tells of it.
func TestEndTellsOfAnEarlierGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1})
		w.attach()
		require.NoError(t, w.send("x", "1"))
		w.cut()
		<-w.lost
		w.attach()
		w.c.End(&channel.Error{Code: channel.CodeUnknownKey, Remote: true})
		g := gapOf(t, context.Cause(w.c.Context()))
		require.Equal(t, uint64(1), g.Sent)
		require.ErrorIs(t, g, channel.CodeUnknownKey)
		require.ErrorIs(t, w.send("x", ""), channel.CodeUnknownKey)
	})
}
