package link

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// Credit comes back when a handler starts: one that hangs stops its sender at the window, and nobody else.
func TestHandlerStopsItsSenderAtTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := blocking()
		others := 0
		mux.Handle("other", func(context.Context, channel.Conn, *channel.Message) error { others++; return nil })
		a, b := pair(t, nil, &Config{Mux: mux})
		b.Run()
		sent := 0
		go func() {
			for a.Send(t.Context(), "h", channel.Raw, make([]byte, 1000-32)) == nil {
				sent++
			}
		}()
		synctest.Wait()
		require.Equal(t, 65, sent)
		for range 1000 {
			require.NoError(t, a.Send(t.Context(), "other", channel.Raw, make([]byte, 1000)))
		}
		require.ErrorIs(t, flushOf(t, a), context.Canceled, "h was not taken")
		require.Equal(t, 1000, others)
		require.Zero(t, b.budget.pool.Used()-b.in[1].pooled())
	})
}

func (ch *inChan) pooled() uint64 { return ch.window.Allowed - ch.window.Taken - 65536 }

// flushOf flushes until nothing moves any more.
func flushOf(t *testing.T, l *Link) error {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Flush(ctx) }()
	synctest.Wait()
	cancel()
	return <-done
}

func TestProbeForSmallMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, l.Send(ctx, "x", channel.Raw, make([]byte, 20000)))
		done := make(chan error)
		go func() { done <- l.Send(ctx, "x", channel.Raw, make([]byte, 60000)) }()
		require.Equal(t, []string{"CHANNEL 1", "MESSAGE 1", "MESSAGE 1", "PROBE 1 20032"}, r.lines())
		r.write(credit(1, 20032, 20032+65536))
		require.NoError(t, <-done)
		go func() { done <- l.Send(ctx, "x", channel.Raw, make([]byte, 60000)) }()
		require.Contains(t, r.lines(), "PROBE 1 80064")
		go func() { _ = l.Flush(ctx) }()
		require.Empty(t, r.lines(), "it is probed already")
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
		go func() { done <- l.Flush(t.Context()) }()
		require.Equal(t, []string{"MESSAGE 1"}, r.lines(), "a second PROBE would replace the first")
		r.write(credit(1, 80064, 80064+65536))
		require.Equal(t, []string{"PROBE 1 80096"}, r.lines())
		r.write(credit(1, 80096, 80096+65536))
		require.NoError(t, <-done)
	})
}

// The cost of a large message is announced. Given up while that waits, it leaves the channel
// usable, and what is then granted is given back.
func TestAnnouncedAndGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, l.Send(ctx, "x", channel.Raw, make([]byte, 10000)))
		done := make(chan error, 3)
		go func() { done <- l.Send(ctx, "x", channel.Raw, make([]byte, 3<<20)) }()
		require.Equal(t, []string{"CHANNEL 1", "MESSAGE 1", "ANNOUNCE 1 3145760"}, r.lines())
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)

		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, make([]byte, 20000)), "there is credit")
		go func() { done <- l.Send(t.Context(), "x", channel.Raw, make([]byte, 60000)) }()
		require.Contains(t, r.lines(), "PROBE 1 30064", "smaller ones ask as ever")
		go func() { done <- l.Send(t.Context(), "x", channel.Raw, make([]byte, 100000)) }()
		synctest.Wait()
		r.write(credit(1, 30064, 10032+3145760))
		require.NoError(t, <-done)
		require.NoError(t, <-done, "served from what was granted")
		sent := uint64(30064 + 60032 + 100032)
		skip := uint64(10032+3145760) - sent
		lines := r.lines()
		frames := map[string]int{}
		for _, line := range lines {
			frames[line]++
		}
		require.Equal(t, 1, frames[frame{wire.Header{Type: wire.TypeSkip, ID: 1}, wire.AppendSkip(nil, 1, skip)[8:]}.String()], "%v", lines)

		go func() { done <- l.Send(t.Context(), "x", channel.Raw, make([]byte, 1<<20)) }()
		require.Equal(t, []string{"ANNOUNCE 1 1048608"}, r.lines(), "the next one is announced")
		total := sent + skip
		r.write(credit(1, total, total+1048608))
		require.NoError(t, <-done)
	})
}

// What is reserved is sent in that order, and what is given back comes last, however the senders
// are scheduled: what the receiver lets a small message use depends on what came before it.
func TestReservedIsSentInOrder(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			l, r := against(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			require.NoError(t, l.Send(ctx, "x", channel.Raw, make([]byte, 65536-32)))
			go func() { _ = l.Send(ctx, "x", channel.Raw, make([]byte, 1<<20)) }()
			r.read()
			cancel()
			synctest.Wait()
			sizes := []int{20000, 30000, 100000, 80000}
			for _, n := range sizes[:3] {
				go func() { _ = l.Send(t.Context(), "x", channel.Raw, make([]byte, n)) }()
				synctest.Wait()
			}
			go func() { _ = l.Send(t.Context(), "x", channel.Raw, make([]byte, sizes[3])) }()
			r.read()
			r.write(credit(1, 65536, 65536+1<<20+32))
			var order []int
			for _, f := range r.read() {
				switch {
				case f.Type == wire.TypeSkip:
					order = append(order, -1)
				case f.Type == wire.TypeMessage && f.Flags.Has(wire.FlagFirst):
					start, _, err := wire.ParseMessageStart(f.Header, f.p)
					require.NoError(t, err)
					order = append(order, int(start.Total))
				}
			}
			require.Equal(t, append(sizes, -1), order)
		})
	}
}

// Two large messages at once are announced one after the other, and the second for what comes behind the first.
func TestLargeMessagesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, nil)
		const n = 5
		for i := range n {
			go func() { _ = a.Send(t.Context(), "x", channel.Raw, make([]byte, (i+1)<<20)) }()
		}
		total := 0
		for range n {
			m, err := b.Receive(t.Context())
			require.NoError(t, err)
			total += len(m.Body)
		}
		require.Equal(t, 15<<20, total)
		require.NoError(t, a.Flush(t.Context()))
	})
}

// The pool is given first come first served; who waits longer is not overtaken by who wants less.
func TestAnnouncementsAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{MaxMessage: 4 << 20})
		r.write(chFrame(1, "a"), chFrame(2, "b"), chFrame(3, "c"), chFrame(4, "d"))
		for i := uint32(1); i <= 3; i++ {
			r.write(wire.AppendAnnounce(nil, i, 4<<20))
		}
		r.write(wire.AppendAnnounce(nil, 4, 70000))
		require.Equal(t, []string{"CREDIT 1 0 4194304", "CREDIT 2 0 4194304"}, r.lines(), "3 does not fit, 4 would")
		r.write(msgFrames(1, 4<<20-32))
		_, err := l.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"CREDIT 1 4194304 4259840", "CREDIT 3 0 4194304", "CREDIT 4 0 70000"}, r.lines())
	})
}

// Overlapping Flushes each return when what was sent before them was taken.
func TestFlushesOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, nil)
		var done [3]chan error
		for i := range done {
			require.NoError(t, a.Send(t.Context(), "x", channel.Raw, nil))
			done[i] = make(chan error, 1)
			go func() { done[i] <- a.Flush(t.Context()) }()
			synctest.Wait()
		}
		for i := range done {
			require.Empty(t, done[i])
			_, err := b.Receive(t.Context())
			require.NoError(t, err)
			require.NoError(t, <-done[i])
		}
	})
}

func TestFlushStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, nil)
		require.NoError(t, a.Flush(t.Context()), "nothing was sent")
		require.NoError(t, a.Send(t.Context(), "x", channel.Raw, nil))
		require.ErrorIs(t, flushOf(t, a), context.Canceled)
		_, err := b.Receive(t.Context())
		require.NoError(t, err)
		require.NoError(t, a.Flush(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, a.Flush(ctx), "it need not wait")
		require.NoError(t, a.Send(ctx, "x", channel.Raw, nil), "nor does this")
	})
}

func TestRefusedChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		a, b := pair(t, nil, &Config{Mux: &mux})
		b.Run()
		require.NoError(t, a.Send(t.Context(), "x", channel.Raw, nil))
		require.ErrorIs(t, a.Flush(t.Context()), channel.CodeNoHandler)
		require.NoError(t, a.Flush(t.Context()), "it was told")
		require.ErrorIs(t, a.Send(t.Context(), "x", channel.Raw, nil), channel.CodeNoHandler)
		_, err := a.Request(t.Context(), "x", channel.Raw, nil)
		require.ErrorIs(t, err, channel.CodeNoHandler)
		_, err = a.Request(t.Context(), "y", channel.Raw, make([]byte, 50000))
		require.ErrorIs(t, err, channel.CodeNoHandler, "by its answer")

		require.NoError(t, a.Send(t.Context(), "z", channel.Raw, make([]byte, 60000)))
		err = a.Send(t.Context(), "z", channel.Raw, make([]byte, 60000))
		require.ErrorIs(t, err, channel.CodeNoHandler, "while it waits for credit")
		require.Zero(t, b.budget.pool.Used())
	})
}

func TestTooManyChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil, &Config{MaxChannels: 2})
		for _, name := range []string{"a", "b", "c"} {
			require.NoError(t, a.Send(t.Context(), name, channel.Raw, []byte(name)))
		}
		for _, name := range []string{"a", "b"} {
			m, err := b.Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, name, m.Channel)
		}
		require.ErrorIs(t, a.Flush(t.Context()), channel.CodeLimit)
		for i := range ownChannels - 3 {
			require.NoError(t, a.Send(t.Context(), string(rune('一'+i)), channel.Raw, nil))
		}
		require.ErrorIs(t, a.Send(t.Context(), "more", channel.Raw, nil), channel.CodeLimit)
		require.NoError(t, b.Context().Err())
	})
}

// A message that waits for the opening of its channel does not overtake it, however many open at once.
func TestManyChannelsOpenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, _ := against(t, nil)
		ca.mu.Lock()
		ca.writing = true // as while a write blocks
		name := func(i int) string { return strings.Repeat("x", 120) + string(rune('一'+i)) }
		for i := range ownChannels {
			_, err := ca.outChannel(wire.KindApplication, name(i)) // as by Sends that wait
			require.NoError(t, err)
		}
		ca.mu.Unlock()
		for i := range ownChannels {
			require.NoError(t, ca.Send(t.Context(), name(ownChannels-1-i), channel.Raw, nil))
		}
		ca.mu.Lock()
		defer ca.mu.Unlock()
		opened := map[uint32]bool{}
		var d relayedOut
		for b, _ := ca.nextBatch(nil, &d); len(b) > 0; b, _ = ca.nextBatch(nil, &d) {
			for len(b) > 0 {
				n, err := wire.Complete(b)
				require.NoError(t, err)
				h, _ := wire.ParseHeader(b)
				if h.Type == wire.TypeChannel {
					opened[h.ID] = true
				} else {
					require.True(t, opened[h.ID])
				}
				b = b[n:]
			}
		}
		require.Len(t, opened, ownChannels)
		ca.writing = false
	})
}

func TestBadArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pair(t, &Config{PeerMaxMessage: 70000}, nil)
		require.Error(t, a.Send(t.Context(), "a b", channel.Raw, nil))
		require.Error(t, a.Send(t.Context(), "x", channel.Encoding(3), nil))
		require.Error(t, a.Send(t.Context(), "x", channel.Encoding(4), nil))
		_, err := a.Request(t.Context(), "x", channel.Encoding(3), nil)
		require.Error(t, err)
		require.ErrorIs(t, a.Send(t.Context(), "x", channel.Raw, make([]byte, 70000-31)), channel.CodeTooLarge)
		_, err = a.OpenStream(t.Context(), "")
		require.Error(t, err)
		require.NoError(t, a.Context().Err())
		require.Empty(t, a.requests)
	})
}
