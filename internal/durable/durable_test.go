package durable

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

func TestAtMostOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1})
		first := async(func() error { return w.send("x", "1") })
		synctest.Wait()
		require.Empty(t, first, "there is no link")
		w.attach()
		require.NoError(t, <-first)
		require.Equal(t, "1", string(w.take().Body))
		require.NoError(t, w.c.Flush(t.Context()))
		require.NoError(t, w.send("x", "2"))
		require.NoError(t, w.send("x", "3"))
		synctest.Wait()
		w.cut()
		require.True(t, isGap(<-w.lost))
		require.NoError(t, w.c.Context().Err())

		w.attach()
		g := gapOf(t, w.send("x", "never"))
		require.Equal(t, []channel.ChannelGap{{Channel: "x", Sent: 3, Taken: 1, Lost: 2}}, g.Channels)
		require.NoError(t, w.send("x", "4"), "it is told once")
		m := w.take()
		require.Equal(t, "4", string(m.Body))
		require.Equal(t, uint64(2), m.Missed)
		require.NoError(t, w.c.Flush(t.Context()))
		w.cut()
		require.False(t, isGap(<-w.lost))
		require.NoError(t, w.c.Flush(t.Context()), "there is nothing to wait for")
		waiting := async(func() error { return w.send("x", "5") })
		synctest.Wait()
		require.Empty(t, waiting)
		w.attach()
		require.NoError(t, <-waiting)
		m = w.take()
		require.Equal(t, "5", string(m.Body))
		require.Zero(t, m.Missed)
	})
}

// Who waits when a link ends with a gap hears of it at once; who comes later does not again.
func TestGapReachesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, Config{Wait: -1})
		w.cfg.OpenPipe = func(*link.Stream, wire.PipeOpen) {}
		w.attach()
		require.NoError(t, w.send("x", "1"))
		waiting := []<-chan error{
			async(func() error { return w.c.Flush(ctx) }),
			async(func() error { return w.c.SendAcked(ctx, "x", channel.Raw, nil) }),
			nil,
		}
		synctest.Wait()
		waiting[2] = async(func() error { return w.c.Send(ctx, "x", channel.Raw, make([]byte, 65500)) })
		request := async(func() error { _, err := w.c.Request(ctx, "y", channel.Raw, nil); return err })
		s, err := w.c.OpenPipe(wire.PipeOpen{Opener: "a", Target: "b"})
		require.NoError(t, err)
		stream := async(func() error { _, err := s.Read(make([]byte, 1)); return err })
		synctest.Wait()
		w.cut()
		for i, c := range waiting {
			require.Equal(t, uint64(2), gapOf(t, <-c).Sent, i)
		}
		for _, c := range []<-chan error{request, stream} {
			err := <-c
			var lost *channel.LostError
			require.True(t, errors.As(err, &lost) && !isGap(err), "%v", err)
		}
		w.attach()
		require.NoError(t, w.send("x", "2"))
		require.Equal(t, uint64(2), w.take().Missed)
	})
}

// Each channel is told of its own losses; Flush tells of those that are left.
func TestGapOfEachChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1})
		w.attach()
		require.NoError(t, w.send("a", "1"))
		require.NoError(t, w.send("b", "1"))
		require.NoError(t, w.send("c", "1"))
		w.cut()
		<-w.lost
		w.attach()
		require.NoError(t, w.send("d", "1"), "nothing of it is lost")
		requireLost(t, w.send("b", "never"), channel.ChannelGap{Channel: "b", Sent: 1, Lost: 1})
		require.NoError(t, w.send("b", "2"))
		w.cut() // two untold losses meet two new ones
		<-w.lost
		w.attach()
		requireLost(t, w.send("a", "never"), channel.ChannelGap{Channel: "a", Sent: 1, Lost: 1})
		require.NoError(t, w.send("a", "2"))
		require.NoError(t, w.send("e", "1"))
		requireLost(t, w.c.Flush(t.Context()), channel.ChannelGap{Channel: "b", Sent: 2, Lost: 1},
			channel.ChannelGap{Channel: "c", Sent: 1, Lost: 1}, channel.ChannelGap{Channel: "d", Sent: 1, Lost: 1})
		require.NoError(t, w.send("c", "2"))
		require.NoError(t, w.send("d", "2"))
		w.cut()
		<-w.lost
		requireLost(t, w.send("c", "never"), channel.ChannelGap{Channel: "c", Sent: 2, Lost: 1})
		requireLost(t, w.c.Close(0, ""), channel.ChannelGap{Channel: "a", Sent: 2, Lost: 1},
			channel.ChannelGap{Channel: "d", Sent: 2, Lost: 1}, channel.ChannelGap{Channel: "e", Sent: 1, Lost: 1})
	})
}

// What was taken after a loss does not come up again with another channel's, and the end of it all
// lists what nobody has been told of.
func TestGapIsOfThisLoss(t *testing.T) {
	for _, ending := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Wait: -1})
			lose := func() {
				<-time.After(time.Second) // what was taken is reported by then
				w.cut()
				<-w.lost
				w.attach()
			}
			w.attach()
			for _, name := range []string{"a", "b"} {
				for range 5 {
					require.NoError(t, w.send(name, "x"))
				}
				_, err := w.there.Receive(t.Context(), name)
				require.NoError(t, err)
			}
			lose()
			requireLost(t, w.send("a", "never"), channel.ChannelGap{Channel: "a", Sent: 5, Taken: 1, Lost: 4})
			requireLost(t, w.send("b", "never"), channel.ChannelGap{Channel: "b", Sent: 5, Taken: 1, Lost: 4})
			require.NoError(t, w.c.Flush(t.Context()))
			for _, name := range []string{"a", "b"} {
				require.NoError(t, w.send(name, "x"))
				_, err := w.there.Receive(t.Context(), name)
				require.NoError(t, err)
			}
			require.NoError(t, w.c.Flush(t.Context()))
			require.NoError(t, w.send("c", "x"))
			require.NoError(t, w.send("d", "x"))
			lose()
			requireLost(t, w.send("c", "never"), channel.ChannelGap{Channel: "c", Sent: 1, Lost: 1})
			left := channel.ChannelGap{Channel: "d", Sent: 1, Lost: 1}
			if !ending {
				requireLost(t, w.c.Flush(t.Context()), left)
				return
			}
			require.NoError(t, w.send("a", "x"))
			w.c.End(errors.New("it is over"))
			g := gapOf(t, context.Cause(w.c.Context()))
			requireLost(t, g, channel.ChannelGap{Channel: "a", Sent: 7, Taken: 2, Lost: 1}, left)
			require.Equal(t, []uint64{15, 4}, []uint64{g.Sent, g.Taken})
		})
	}
}

// Only a message that SendAcked has begun is counted in the gap that it returns.
func TestCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1})
		w.attach()
		acked := async(func() error { return w.c.SendAcked(t.Context(), "x", channel.Raw, nil) })
		synctest.Wait()
		require.NoError(t, w.send("y", "1"))
		w.cut()
		g := gapOf(t, <-acked)
		require.True(t, g.Counted)
		w.attach()
		g = gapOf(t, w.c.SendAcked(t.Context(), "y", channel.Raw, nil))
		require.False(t, g.Counted)
		require.Equal(t, uint64(2), g.Sent)
	})
}

func TestAtLeastOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, Config{Resend: true, Wait: -1})
		w.attach()
		require.NoError(t, w.send("x", "1"))
		require.NoError(t, w.send("x", "2"))
		acked := async(func() error { return w.c.SendAcked(ctx, "x", channel.Raw, []byte("3")) })
		synctest.Wait()
		flush := async(func() error { return w.c.Flush(ctx) })
		large := async(func() error { return w.c.Send(ctx, "x", channel.Raw, make([]byte, 100000)) })
		synctest.Wait()
		require.Equal(t, "1", string(w.take().Body))
		w.cut()
		<-w.lost
		late := async(func() error { return w.send("y", "y") })
		for range 3 {
			synctest.Wait()
			require.Empty(t, acked)
			require.Empty(t, flush)
			w.attach()
			w.cut()
			<-w.lost
		}
		w.attach()
		require.NoError(t, <-late)
		// The channel y has an order of its own: its message may come at any time.
		got := map[string][]string{}
		for range 4 {
			m := w.take()
			require.Zero(t, m.Missed)
			got[m.Channel] = append(got[m.Channel], string(m.Body[:1]))
			if m.Channel == "x" && string(m.Body) == "3" {
				require.NoError(t, <-acked)
				require.NoError(t, <-large)
			}
		}
		require.Equal(t, map[string][]string{"x": {"2", "3", "\x00"}, "y": {"y"}}, got)
		require.NoError(t, <-flush)
		require.NoError(t, w.c.Flush(ctx))
		require.NoError(t, w.c.Close(0, ""))
	})
}

// A newer link ends the older, wherever that was made.
func TestAttachWhileTheOlderLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1, Resend: true})
		first := w.attach()
		acked := async(func() error { return w.c.SendAcked(t.Context(), "x", channel.Raw, []byte("1")) })
		synctest.Wait()
		second := w.attach()
		require.Error(t, first.Context().Err())
		require.Same(t, second, w.c.Link())
		require.Equal(t, "1", string(w.take().Body))
		require.NoError(t, <-acked)

		third := w.link()
		fourth := w.attach()
		require.Error(t, w.c.Attach(third), "it was made before the one that is there")
		require.Same(t, fourth, w.c.Link())
		require.NoError(t, w.c.SendAckedAfter(w, "2"))
	})
}

// SendAckedAfter sends while the other end takes.
func (c *Conn) SendAckedAfter(w *world, body string) error {
	done := async(func() error { return c.SendAcked(w.t.Context(), "x", channel.Raw, []byte(body)) })
	w.take()
	return <-done
}

// A refusal is not ridden over.
func TestRefusalIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1, Resend: true})
		w.attach()
		acked := async(func() error { return w.c.SendAcked(t.Context(), "x", channel.Raw, nil) })
		synctest.Wait()
		w.cut()
		<-w.lost
		w.attach()
		w.there.Run() // no handlers
		require.ErrorIs(t, <-acked, channel.CodeNoHandler)
		require.ErrorIs(t, w.send("x", ""), channel.CodeNoHandler)
		require.NoError(t, w.c.Flush(t.Context()))
		w.cut()
		require.False(t, isGap(<-w.lost), "it has been told")
	})
}

func TestOpenPipeWithoutALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: -1})
		open := wire.PipeOpen{Opener: "a", Target: "b"}
		_, err := w.c.OpenPipe(open)
		require.Error(t, err)
		w.cfg.OpenPipe = func(s *link.Stream, _ wire.PipeOpen) { s.Accept() }
		w.attach()
		s, err := w.c.OpenPipe(open)
		require.NoError(t, err)
		w.cut()
		_, err = s.Read(make([]byte, 1))
		require.Error(t, err)
		_, err = w.c.OpenPipe(open)
		var lost *channel.LostError
		require.ErrorAs(t, err, &lost)
	})
}

// A Send on a Conn allocates as little as one on a link.
func TestSendDoesNotAllocate(t *testing.T) {
	c := New(&Config{})
	here, there := memnet.Pipe(memnet.Config{Buffer: 4 << 20})
	require.NoError(t, c.Attach(link.New(here, &link.Config{Peer: &channel.Peer{}, Books: c.Books()})))
	body := make([]byte, 64)
	require.NoError(t, c.Send(t.Context(), "x", channel.Raw, body))
	_, err := there.Write(wire.Credit{Allowed: 1 << 40}.Append(nil, 1))
	require.NoError(t, err)
	require.NoError(t, c.Send(t.Context(), "x", channel.Raw, make([]byte, 65536-128)), "the credit has come")
	require.Zero(t, testing.AllocsPerRun(1000, func() { _ = c.Send(background, "x", channel.Raw, body) }))
	c.End(channel.ErrClosed)
	c.Wait()
}
