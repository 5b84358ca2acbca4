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

		// Nobody receives until two links have gone: what came before an orderly close is there, what was on a lost link is not.
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
