package link

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// noting gives the channel "x" a handler that notes what it gets, in order.
func noting(mux *channel.Mux, concurrent int) (seen func() []uint64) {
	var mu sync.Mutex
	var got []uint64
	mux.HandleConcurrent("x", concurrent, func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, number(m))
		return nil
	})
	return func() []uint64 {
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(got)
		return slices.Clone(got)
	}
}

// Handlers of a newer link wait for those of the older one, of which nothing more is taken.
func TestNewerLinkEndsTheOlder(t *testing.T) {
	for _, concurrent := range []int{1, 2} {
		t.Run(fmt.Sprint(concurrent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				books := NewBooks(false)
				var mux, mux2 channel.Mux
				var begun atomic.Int32
				release := make(chan struct{})
				mux.HandleConcurrent("x", concurrent, func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
					begun.Add(1)
					<-release
					return nil
				})
				seen := noting(&mux2, concurrent)
				a, ra := against(t, &Config{Books: books, Mux: &mux})
				a.Run()
				ra.write(chFrame(1, "x"), numberedFrames(1, 0, 8))
				synctest.Wait()
				require.EqualValues(t, concurrent, begun.Load())

				b, rb := against(t, &Config{Books: books, Mux: &mux2})
				require.Error(t, a.Context().Err(), "it has ended when the newer one is there")
				b.Run()
				rb.write(chFrame(1, "x"), numberedFrames(1, 0, 9), wire.AppendProbe(nil, 1, 40*9))
				synctest.Wait()
				require.Empty(t, seen())

				c, rc := against(t, &Config{Books: books, Mux: &mux2})
				c.Run()
				rc.write(chFrame(1, "x"), numberedFrames(1, 0, 10), wire.AppendProbe(nil, 1, 40*10))
				synctest.Wait()
				require.Empty(t, seen(), "it waits for the first, too")

				close(release)
				synctest.Wait()
				require.EqualValues(t, concurrent, begun.Load())
				want := []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}[concurrent:]
				require.Equal(t, want, seen())
				require.Equal(t, []string{"CREDIT 1 400 65936"}, rc.lines())
				c.Cut(io.ErrUnexpectedEOF)
				c.Wait()
				require.Nil(t, books.owner, "books hold no link that has gone")
			})
		})
	}
}

// What has arrived before an orderly close may still be taken, also while the newer link is there: each message once.
func TestTakenFromBothLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		a, ra := against(t, &Config{Books: books})
		ra.write(chFrame(1, "x"), numberedFrames(1, 0, 100), reason(wire.TypeClose, 0, wire.CodeShutdown))
		<-a.Done()
		b, rb := against(t, &Config{Books: books})
		rb.write(chFrame(1, "x"), numberedFrames(1, 0, 150))
		synctest.Wait()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var got []uint64
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 4 {
			l := []*Link{a, b}[i%2]
			wg.Go(func() {
				for {
					m, err := l.Receive(ctx)
					if err != nil {
						return
					}
					mu.Lock()
					got = append(got, number(m))
					mu.Unlock()
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		slices.Sort(got)
		want := make([]uint64, 150)
		for i := range want {
			want[i] = uint64(i)
		}
		require.Equal(t, want, got)
	})
}

// What the handlers of an older link, which the other side has closed, still take, those of the
// newer one do not take again.
func TestHandlersOfAnOlderLinkGoOn(t *testing.T) {
	for _, concurrent := range []int{1, 3} {
		t.Run(fmt.Sprint(concurrent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				books := NewBooks(false)
				var mux, mux2 channel.Mux
				var begun atomic.Int32
				release := make(chan struct{})
				mux.HandleConcurrent("x", concurrent, func(context.Context, channel.Conn, *channel.Message) error {
					begun.Add(1)
					<-release
					return nil
				})
				seen := noting(&mux2, concurrent)
				a, ra := against(t, &Config{Books: books, Mux: &mux, MaxMessage: 1 << 20})
				a.Run()
				ra.write(chFrame(1, "x"), numberedFrames(1, 0, 8), wire.AppendAnnounce(nil, 1, 100032))
				synctest.Wait()
				ra.write(msgFrames(1, 100000), reason(wire.TypeClose, 0, wire.CodeShutdown))
				<-a.Done()

				b, rb := against(t, &Config{Books: books, Mux: &mux2, MaxMessage: 1 << 20})
				b.Run()
				rb.write(chFrame(1, "x"), numberedFrames(1, 0, 8), wire.AppendAnnounce(nil, 1, 100032))
				synctest.Wait()
				rb.write(msgFrames(1, 100000), wire.AppendProbe(nil, 1, 8*40+100032))
				synctest.Wait()
				require.EqualValues(t, concurrent, begun.Load())
				close(release)
				a.Wait()
				synctest.Wait()
				require.EqualValues(t, 9, begun.Load())
				lines := rb.lines()
				require.Equal(t, "CREDIT 1 100352", lines[len(lines)-1][:15], "all count as taken")
				rb.write(numberedFrames(1, 9, 11))
				synctest.Wait()
				require.Equal(t, []uint64{9, 10}, seen())
			})
		})
	}
}
