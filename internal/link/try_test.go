package link

import (
	"context"
	"math"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// fillUp uses the channel's credit up to less than 60 bytes.
func fillUp(t *testing.T, l *Link, name string) {
	t.Helper()
	require.NoError(t, l.Send(t.Context(), name, channel.Raw, make([]byte, 65536-32-50)))
}

// What does not fit is left out, and told of before the next message that is no request; what was
// not to be counted is not.
func TestTrySendTellsWhatItLeavesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		require.NoError(t, l.TrySend(nil, "x", channel.Raw, []byte("a"), true))
		require.Equal(t, []string{"CHANNEL 1", "MESSAGE 1"}, r.lines())
		require.NoError(t, l.TrySend(nil, "x", channel.Raw, make([]byte, 65536-33-32-50), true))
		for range 3 {
			require.ErrorIs(t, l.TrySend(nil, "x", channel.Raw, make([]byte, 100), true), ErrFull)
		}
		require.ErrorIs(t, l.TrySend(nil, "x", channel.Raw, make([]byte, 100), false), ErrFull)
		require.ErrorIs(t, l.TrySend(nil, "x", channel.Raw, make([]byte, 100000), true), ErrFull, "a large one is not announced")
		require.Equal(t, []string{"MESSAGE 1", "MESSAGE 1", "MESSAGE 1", "MESSAGE 1", "MESSAGE 1"}, r.lines(), "nor probed for")

		r.write(credit(1, 65486, 65486+65536))
		go func() { _, _ = l.Request(t.Context(), "x", channel.Raw, nil) }()
		require.Equal(t, []string{"MESSAGE 1"}, r.lines(), "requests miss nothing")
		require.NoError(t, l.TrySend(nil, "x", channel.Raw, make([]byte, 100), true))
		require.Equal(t, []string{"GAP 1 4", "MESSAGE 1"}, r.lines())
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
		require.Equal(t, []string{"MESSAGE 1"}, r.lines(), "told once")
	})
}

// Nothing overtakes who waits already, and nothing waits with it: for credit, for room in the
// queue, for what is to be sent again.
func TestTrySendNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{MaxQueued: 100000})
		fillUp(t, l, "x")
		done := make(chan error)
		go func() { done <- l.Send(t.Context(), "x", channel.Raw, make([]byte, 1000)) }()
		synctest.Wait()
		require.ErrorIs(t, l.TrySend(nil, "x", channel.Raw, nil, true), ErrFull, "there is credit for it, but not its turn")
		r.lines()
		r.write(credit(1, 65486, 65486+65536))
		require.NoError(t, <-done)
		require.Equal(t, []string{"MESSAGE 1"}, r.lines(), "what was sent before it was left out misses nothing")
		require.NoError(t, l.SendGroup(t.Context(), NewGroupBody(crew, nil), "x", channel.Raw))
		require.NoError(t, l.TrySend(nil, "x", channel.Raw, nil, false))
		require.Equal(t, []string{"CHANNEL 2", "MESSAGE 2", "GAP 1 1", "MESSAGE 1"}, r.lines())
	})
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{MaxQueued: 100000})
		r.silent = true
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			fillUp(t, l, name)
			if synctest.Wait(); l.Queued() >= 100000 { // when nothing leaves any more
				break
			}
		}
		require.NoError(t, l.TrySend(nil, "small", channel.Raw, nil, true), "it waits for its turn alone")
		require.ErrorIs(t, l.TrySend(nil, "small", channel.Raw, nil, true), ErrFull)
		require.NoError(t, l.TrySend(NewGroupBody(crew, nil), "group", channel.Raw, nil, true), "what is for groups has room of its own")
		require.EqualValues(t, 1, l.out[wire.KindApplication]["small"].left)
	})
}

// What cannot be sent at all is another error, and no gap.
func TestTrySendFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		require.Error(t, l.TrySend(nil, "a b", channel.Raw, nil, true))
		require.ErrorIs(t, l.TrySend(nil, "x", channel.Raw, make([]byte, wire.DefaultMaxMessage), true), channel.CodeTooLarge)
		fillUp(t, l, "x")
		r.lines()
		r.write(reason(wire.TypeRefuse, 1, 17))
		synctest.Wait()
		require.ErrorIs(t, l.TrySend(nil, "x", channel.Raw, make([]byte, 100), true), channel.CodeNoHandler)
		require.Zero(t, l.out[wire.KindApplication]["x"].left)
		l.Cut(channel.ErrClosed)
		require.Error(t, l.TrySend(nil, "x", channel.Raw, nil, true))
		require.NotErrorIs(t, l.TrySend(nil, "x", channel.Raw, nil, true), ErrFull)
	})
}

// While a channel's kept messages are sent again others are left out, and told of behind those.
func TestTrySendBehindWhatIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(true)
		a, ra := against(t, &Config{Books: books})
		require.NoError(t, a.Send(t.Context(), "x", channel.Raw, []byte("kept")))
		ra.lines()
		a.Cut(channel.ErrClosed)
		b, rb := against(t, &Config{Books: books})
		require.ErrorIs(t, b.TrySend(nil, "x", channel.Raw, nil, true), ErrFull)
		require.NoError(t, b.Resend(t.Context()))
		require.NoError(t, b.TrySend(nil, "x", channel.Raw, nil, true))
		require.Equal(t, []string{"CHANNEL 1", "MESSAGE 1", "GAP 1 1", "MESSAGE 1"}, rb.lines())
	})
}

// The next message misses what all gaps before it say, and what its number says, at most as many as
// can be counted. A request misses nothing, and hides nothing.
func TestGapsAreMissed(t *testing.T) {
	for name, c := range map[string]struct {
		frames [][]byte
		want   []uint64
	}{
		"none": {[][]byte{chFrame(1, "x"), msgFrames(1, 0)}, []uint64{0}},
		"one":  {[][]byte{chFrame(1, "x"), wire.AppendGap(nil, 1, 3), msgFrames(1, 0), msgFrames(1, 0)}, []uint64{3, 0}},
		"sum":  {[][]byte{chFrame(1, "x"), wire.AppendGap(nil, 1, 3), wire.AppendGap(nil, 1, 4), msgFrames(1, 20000)}, []uint64{7}},
		"each its own": {[][]byte{chFrame(1, "x"), wire.AppendGap(nil, 1, 3), msgFrames(1, 0), wire.AppendGap(nil, 1, 4), msgFrames(1, 0)},
			[]uint64{3, 4}},
		"huge": {[][]byte{chFrame(1, "x"), wire.AppendGap(nil, 1, math.MaxUint64), wire.AppendGap(nil, 1, math.MaxUint64),
			msgFrames(1, 0), msgFrames(1, 0)}, []uint64{math.MaxUint64, 0}},
		"request": {[][]byte{chFrame(1, "x"), wire.AppendGap(nil, 1, 3), reqFrames(1, 1, 0), msgFrames(1, 0)}, []uint64{0, 3}},
		"skip": {[][]byte{chFrame(1, "x"), wire.AppendGap(nil, 1, 3), wire.AppendSkip(nil, 1, 50), wire.AppendGap(nil, 1, 3),
			msgFrames(1, 0)}, []uint64{6}},
		"group": {[][]byte{wire.AppendChannel(nil, 1, 0, wire.KindGroup, "x"), wire.AppendGap(nil, 1, 3), groupFrames(1, 0)}, []uint64{3}},
	} {
		for how, receive := range map[string]func(l *Link) []uint64{
			"pulled": func(l *Link) (missed []uint64) {
				for range c.want {
					m, err := l.Receive(t.Context())
					require.NoError(t, err)
					missed = append(missed, m.Missed)
				}
				return missed
			},
			"handled": func(l *Link) (missed []uint64) {
				got := make(chan uint64)
				l.cfg.Mux.Handle("x", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
					got <- m.Missed
					return nil
				})
				l.Run()
				for range c.want {
					missed = append(missed, <-got)
				}
				return missed
			},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l, r := against(t, &Config{Mux: new(channel.Mux), GroupMessages: true})
					r.write(c.frames...)
					synctest.Wait()
					require.Equal(t, c.want, receive(l))
					require.Empty(t, l.in[0].gaps.q)
					require.False(t, l.in[0].gaps.some.Load())
				})
			})
		}
	}
}

// A gap is told with the first message that is new, together with what is lost between two links.
func TestGapAcrossLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		a, ra := against(t, &Config{Books: books})
		ra.write(chFrame(1, "x"), msgFrames(1, 0), msgFrames(1, 0))
		for range 2 {
			_, err := a.Receive(t.Context())
			require.NoError(t, err)
		}
		a.Cut(channel.ErrClosed)
		b, rb := against(t, &Config{Books: books})
		rb.write(chFrame(1, "x"), wire.AppendGap(nil, 1, 5), msgFrames(1, 0), wire.AppendGap(nil, 1, 6), msgFrames(1, 0),
			wire.AppendGap(nil, 1, 7), msgFrames(1, 0), msgFrames(1, 0))
		for _, want := range []uint64{18, 0} {
			m, err := b.Receive(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, m.Missed)
		}
		b.Cut(channel.ErrClosed)
		c, rc := against(t, &Config{Books: books})
		rc.write(wire.AppendChannel(nil, 1, 10, wire.KindApplication, "x"), wire.AppendGap(nil, 1, 100), msgFrames(1, 0))
		m, err := c.Receive(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 106, m.Missed)
	})
}

// However many gaps come, also between messages that were taken before, they cost memory only once
// for each message that waits.
func TestGapsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		a, ra := against(t, &Config{Books: books})
		ra.write(wire.AppendChannel(nil, 1, 1<<40, wire.KindApplication, "x"), msgFrames(1, 0))
		_, err := a.Receive(t.Context())
		require.NoError(t, err)
		a.Cut(channel.ErrClosed)
		b, rb := against(t, &Config{Mux: blocking(), Books: books})
		b.Run()
		rb.write(chFrame(1, "x"), repeat(1000, func(uint32) []byte { return append(wire.AppendGap(nil, 1, 5), msgFrames(1, 0)...) }))
		rb.write(chFrame(2, "h"), repeat(1000, func(uint32) []byte {
			return append(wire.AppendGap(nil, 2, 5), wire.AppendGap(nil, 2, 5)...)
		}))
		rb.write(msgFrames(2, 0), chFrame(3, "refused"), repeat(10, func(uint32) []byte { return wire.AppendGap(nil, 3, 5) }),
			msgFrames(3, 0))
		rb.write(repeat(10, func(uint32) []byte { return wire.AppendGap(nil, 3, 5) }))
		require.Contains(t, rb.lines(), "REFUSE 3 code 17")
		require.Len(t, b.in[0].gaps.q, 1)
		require.Equal(t, uint64(5000), b.in[0].gaps.q[0].count)
		require.Empty(t, b.in[1].gaps.q, "its message was taken")
		require.Empty(t, b.in[2].gaps.q)
	})
}
