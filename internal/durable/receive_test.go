package durable

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// What has arrived is received before what comes on the next link.
func TestReceiveGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, Config{Wait: -1, Final: func(error) bool { return false }})
		var got []string
		stopped := async(func() error {
			for {
				m, err := w.c.Receive(ctx)
				if err != nil {
					return err
				}
				got = append(got, string(m.Body))
			}
		})
		say := func(body string) { require.NoError(t, w.there.Send(ctx, "x", channel.Raw, []byte(body))) }
		w.attach()
		say("1")
		synctest.Wait()
		w.cut()
		<-w.lost
		w.c.Run()
		w.attach()
		say("2") // no REFUSE: who receives on one link does on the next
		synctest.Wait()
		require.NoError(t, w.there.Close(channel.CodeShutdown, ""))
		<-w.lost
		w.attach()
		say("3")
		synctest.Wait()
		require.Equal(t, []string{"1", "2", "3"}, got)
		w.c.End(io.ErrNoProgress)
		require.ErrorIs(t, <-stopped, io.ErrNoProgress)

		// Nobody receives until two links have gone: what came before an orderly close is there,
		// what was on a lost link is not.
		for _, orderly := range []bool{true, false} {
			w = newWorld(t, Config{Wait: -1, Final: func(error) bool { return false }})
			w.attach()
			say("1")
			synctest.Wait()
			if orderly {
				require.NoError(t, w.there.Close(channel.CodeShutdown, ""))
			} else {
				w.cut()
			}
			<-w.lost
			w.attach()
			say("2")
			synctest.Wait()
			m, err := w.c.Receive(ctx)
			require.NoError(t, err)
			if orderly {
				require.Equal(t, "1", string(m.Body))
				m, err = w.c.Receive(ctx)
				require.NoError(t, err)
			}
			require.Equal(t, "2", string(m.Body))
		}
	})
}

// Handlers of one link and those of the next do not overlap, and Run holds for all.
func TestHandlersFollowOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		running, order := 0, []string{}
		release := make(chan struct{})
		mux.Handle("x", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			running++
			require.Equal(t, 1, running)
			order = append(order, string(m.Body))
			<-release
			running--
			return nil
		})
		w := newWorld(t, Config{Wait: -1})
		w.mux = &mux
		w.c.Run()
		for _, body := range []string{"1", "2", "3"} {
			w.attach()
			require.NoError(t, w.there.Send(t.Context(), "x", channel.Raw, []byte(body)))
			synctest.Wait()
			if body != "3" {
				w.cut()
				<-w.lost
			}
		}
		require.Equal(t, []string{"1"}, order)
		close(release)
		synctest.Wait()
		require.Equal(t, []string{"1", "3"}, order, "2 was lost with its link")
	})
}

// Who receives some channels goes on over links, and takes nothing from who receives others, also
// of what came before an orderly close.
func TestReceiveOfSomeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, Config{Wait: -1, Final: func(error) bool { return false }})
		say := func(name, body string) { require.NoError(t, w.there.Send(ctx, name, channel.Raw, []byte(body))) }
		next := func(channels ...string) string {
			m, err := w.c.Receive(ctx, channels...)
			require.NoError(t, err)
			return string(m.Body)
		}
		w.attach()
		say("x", "x1")
		say("y", "y1")
		synctest.Wait()
		require.NoError(t, w.there.Close(channel.CodeShutdown, ""))
		<-w.lost
		w.attach()
		say("x", "x2")
		say("y", "y2")
		synctest.Wait()
		for _, want := range []string{"x1", "x2"} {
			require.Equal(t, want, next("x"))
		}
		got := make(chan string)
		go func() { got <- next("x") }()
		synctest.Wait()
		require.Equal(t, "y1", next("y"), "it waited behind nobody")
		require.Equal(t, "y2", next())
		w.cut()
		<-w.lost
		w.attach()
		say("y", "y3")
		say("x", "x3")
		require.Equal(t, "x3", <-got)
		require.Equal(t, "y3", next("other", "y"))
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		_, err := w.c.Receive(canceled, "x")
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, w.c.Close(0, ""))
		_, err = w.c.Receive(ctx, "x")
		require.Equal(t, channel.ErrClosed, err)
	})
}

// A request of a service goes on the present link, and waits for one.
func TestRequestService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1})
		w.cfg.Services = new(channel.Mux)
		w.cfg.Services.Handle("x", func(ctx context.Context, _ channel.Conn, m *channel.Message) error { return m.Reply(ctx, m.Body) })
		answered := async(func() error {
			m, err := w.c.RequestService(t.Context(), "x", []byte("body"))
			if err == nil {
				require.Equal(t, "body", string(m.Body))
			}
			return err
		})
		synctest.Wait()
		w.attach()
		w.there.Run()
		require.NoError(t, <-answered)
		w.c.End(io.ErrNoProgress)
		_, err := w.c.RequestService(t.Context(), "x", nil)
		require.ErrorIs(t, err, io.ErrNoProgress)
	})
}
