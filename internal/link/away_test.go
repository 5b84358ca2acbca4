package link

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// A connection that outlives those below it takes what is written and says nothing while it is
// away: wire.CloseTimeout bounds a close all the same.
func TestCloseWhileTheConnectionIsAway(t *testing.T) {
	for name, end := range map[string]func(l *Link, r *raw) error{
		"ours": func(l *Link, _ *raw) error {
			err := l.Close(0, "")
			var gap *channel.GapError
			if !errors.As(err, &gap) {
				return fmt.Errorf("Close has not told: %v", err)
			}
			require.Equal(t, []channel.ChannelGap{{Channel: "x", Sent: 1, Lost: 1}}, gap.Channels)
			require.ErrorAs(t, err, new(*channel.LostError))
			return l.Close(0, "")
		},
		"kick": func(l *Link, _ *raw) error { l.Kick(channel.CodeKicked, ""); <-l.Done(); return l.Close(0, "") },
		"breach": func(l *Link, r *raw) error {
			r.write(data(99, 1))
			<-l.Done()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, r := against(t, nil)
				require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
				begin := time.Now()
				require.NoError(t, end(l, r))
				require.Equal(t, wire.CloseTimeout, time.Since(begin))
			})
		})
	}
}

// A link that the other side closes while it waits for an older one's handlers still handles what had come.
func TestClosedWhileHeld(t *testing.T) {
	for _, release := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			books := NewBooks(false)
			var mux channel.Mux
			var handled []uint64
			done := make(chan struct{})
			mux.Handle("x", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
				handled = append(handled, number(m))
				<-done
				return nil
			})
			a, ra := againstOver(t, memnet.Config{Buffer: 1 << 20}, &Config{Books: books, Mux: &mux})
			a.Run()
			ra.write(chFrame(1, "x"), numberedFrames(1, 0, 1))
			synctest.Wait()
			b, rb := against(t, &Config{Books: books, Mux: &mux})
			b.Run()
			rb.write(chFrame(1, "x"), numberedFrames(1, 0, 3), reason(wire.TypeClose, 0, 0))
			<-b.Done()
			if !release {
				<-time.After(2 * handlerGrace)
			}
			close(done)
			b.Wait()
			if release {
				require.Equal(t, []uint64{0, 1, 2}, handled)
			} else {
				require.Equal(t, []uint64{0}, handled, "it came too late")
			}
		})
	}
}
