package link

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// However often the other side comes anew while a handler does not return, one link waits for that:
// the newest. The others end, and nothing of them is taken.
func TestOneLinkIsHeld(t *testing.T) {
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprint("closed by the other side ", closed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				books := NewBooks(false)
				var mux, mux2 channel.Mux
				release := make(chan struct{})
				mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error {
					<-release // whatever becomes of its ctx
					return nil
				})
				seen := noting(&mux2, 1)
				first, r := against(t, &Config{Books: books, Mux: &mux})
				first.Run()
				r.write(chFrame(1, "x"), numberedFrames(1, 0, 1))
				synctest.Wait()

				goroutines := runtime.NumGoroutine()
				var last *Link
				for i := range uint64(50) {
					l, r := against(t, &Config{Books: books, Mux: &mux2})
					l.Run()
					r.write(seqFrame(1, i+1, "x"), numberedFrames(1, i+1, i+2))
					synctest.Wait()
					if last != nil {
						last.Wait()
					}
					require.LessOrEqual(t, runtime.NumGoroutine(), goroutines+3)
					if closed && i < 49 {
						r.write(reason(wire.TypeClose, 0, 0))
						<-l.Done()
					}
					last = l
				}
				require.Empty(t, seen())
				close(release)
				synctest.Wait()
				require.Equal(t, []uint64{50}, seen())
				first.Wait()
			})
		})
	}
}

// A link that is displaced after the other side has closed it does not outlive that by the time
// that handlers would have.
func TestDisplacedEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		var mux channel.Mux
		release := make(chan struct{})
		mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error {
			<-release
			return nil
		})
		first, r := against(t, &Config{Books: books, Mux: &mux})
		first.Run()
		r.write(chFrame(1, "x"), numberedFrames(1, 0, 1))
		synctest.Wait()
		held, r := against(t, &Config{Books: books, Mux: &mux})
		held.Run()
		r.write(reason(wire.TypeClose, 0, 0))
		<-held.Done()
		began := time.Now()
		_, _ = against(t, &Config{Books: books})
		held.Wait()
		require.Equal(t, began, time.Now())
		close(release)
	})
}
