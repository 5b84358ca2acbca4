package durable

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// A loss that was told is not told again by the next one, which is another channel's: whoever sends
// there need not care.
func TestToldOnce(t *testing.T) {
	for name, tell := range map[string]func(w *world) error{
		"send":  func(w *world) error { return w.send("a", "never") },
		"flush": func(w *world) error { return w.c.Flush(w.t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Config{Wait: -1})
				lose := func() {
					w.cut()
					<-w.lost
					w.attach()
				}
				w.attach()
				require.NoError(t, w.send("a", "1"))
				lose()
				require.True(t, isGap(tell(w)))
				acked := async(func() error { return w.c.SendAcked(t.Context(), "a", channel.Raw, nil) })
				w.take()
				require.NoError(t, <-acked)

				require.NoError(t, w.send("b", "1"))
				lose()
				require.NoError(t, w.send("a", "2"), "of a nothing more is lost")
				requireLost(t, w.send("b", "never"), channel.ChannelGap{Channel: "b", Sent: 1, Lost: 1})
				require.NoError(t, w.send("b", "2"))

				lose()
				require.True(t, isGap(w.send("a", "never")), "and now it is")
			})
		})
	}
}

// A Send that waits when the link ends hears of what is lost on its channel only if that is news.
func TestToldOnceToWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1})
		w.attach()
		require.NoError(t, w.send("a", "1"))
		w.cut()
		<-w.lost
		require.True(t, isGap(w.c.Untold()))
		waiting := async(func() error { return w.send("a", "2") })
		w.attach()
		require.NoError(t, <-waiting)
		require.Equal(t, "2", string(w.take().Body))
		require.NoError(t, w.c.Flush(t.Context()))

		require.NoError(t, w.send("b", "1"))
		w.conn.Stall() // nobody lets the large one through
		large := make([]byte, 100_000)
		waiting = async(func() error { return w.c.Send(t.Context(), "a", channel.Raw, large) })
		synctest.Wait()
		w.cut()
		<-w.lost
		w.attach()
		require.NoError(t, <-waiting)
		require.Len(t, w.take().Body, len(large))
		require.True(t, isGap(w.send("b", "never")))
	})
}

// Close tells of what the other end may not have got, whether the connection is known to be dead or not.
func TestCloseUnanswered(t *testing.T) {
	for _, resend := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Wait: -1, Resend: resend})
			w.attach()
			require.NoError(t, w.send("x", "1"))
			w.take()
			require.NoError(t, w.c.Flush(t.Context()))
			w.conn.Vanish()
			require.NoError(t, w.send("x", "2"))
			g := gapOf(t, w.c.Close(0, ""))
			require.Equal(t, []channel.ChannelGap{{Channel: "x", Sent: 2, Taken: 1, Lost: 1}}, g.Channels)
			require.ErrorAs(t, g, new(*channel.LostError))
			require.Equal(t, channel.ErrClosed, context.Cause(w.c.Context()))
			require.NoError(t, w.c.Close(0, ""))
		})
	}
}

// Close tells what nobody has been told of also if the link is lost just then.
func TestCloseTellsAsTheLinkIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1})
		w.attach()
		require.NoError(t, w.send("x", "1"))
		w.cut()
		<-w.lost
		w.attach()
		synctest.Wait()
		w.conn.Cut() // and the reader has not seen it yet
		requireLost(t, w.c.Close(0, ""), channel.ChannelGap{Channel: "x", Sent: 1, Lost: 1})
	})
}
