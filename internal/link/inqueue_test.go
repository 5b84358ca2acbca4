package link

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

// A channel that has had a burst holds little afterwards.
func TestIdleChannelHoldsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		handled, release := 0, make(chan struct{})
		mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error {
			handled++
			<-release
			return nil
		})
		l, r := against(t, &Config{Mux: &mux})
		l.Run()
		r.write(chFrame(1, "x"), msgFrames(1, 0))
		synctest.Wait() // the handler has it, and all that follows waits
		r.write(repeat(1499, func(uint32) []byte { return msgFrames(1, 0) }))
		synctest.Wait()
		require.GreaterOrEqual(t, cap(l.in[0].queue), longQueue)
		close(release)
		synctest.Wait()
		require.Equal(t, 1500, handled)
		require.LessOrEqual(t, cap(l.in[0].queue)+cap(l.in[0].spare), 4*shortQueue)
	})
}
