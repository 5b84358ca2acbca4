package link

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// numberedFrames are messages whose bodies are their numbers, from up to and without to.
func numberedFrames(id uint32, from, to uint64) (b []byte) {
	for n := from; n < to; n++ {
		b = wire.AppendMessage(b, id, 0, wire.MessageStart{}, binary.BigEndian.AppendUint64(nil, n))
	}
	return b
}

func seqFrame(id uint32, sequence uint64, name string) []byte {
	return wire.AppendChannel(nil, id, sequence, wire.KindApplication, name)
}

func number(m *channel.Message) uint64 { return binary.BigEndian.Uint64(m.Body) }

// received takes what there is to receive: numbers, and behind a colon how many were missed if any were.
func received(t *testing.T, l *Link) (got []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := l.Receive(ctx)
			if err != nil {
				return
			}
			s := fmt.Sprint(number(m))
			if m.Missed > 0 {
				s += fmt.Sprintf(":%d", m.Missed)
			}
			got = append(got, s)
		}
	}()
	synctest.Wait()
	cancel()
	<-done
	return got
}

func TestWhatComesAgainIsTakenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		l, r := against(t, &Config{Books: books})
		r.write(seqFrame(1, 5, "x"), numberedFrames(1, 5, 8), seqFrame(2, 0, "y"), numberedFrames(2, 0, 2))
		require.Equal(t, []string{"5", "6", "7", "0", "1"}, received(t, l))
		r.conn.Cut()
		<-l.Done()

		l, r = against(t, &Config{Books: books})
		r.write(seqFrame(1, 0, "y"), numberedFrames(1, 0, 3), seqFrame(2, 6, "x"), numberedFrames(2, 6, 9), reqFrames(2, 1, 8),
			wire.AppendProbe(nil, 2, 160))
		require.Equal(t, []string{"2", "8", "0"}, received(t, l), "the last is a request, which has no number")
		frames := r.lines()
		require.Contains(t, frames, "CREDIT 2 160 65696", "what came again counts as taken")
	})
}

func TestMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		for _, part := range []struct {
			from, to uint64
			want     []string
		}{
			{7, 9, []string{"7", "8"}},       // a mark that is not known begins with what CHANNEL says
			{12, 14, []string{"12:3", "13"}}, // 9, 10 and 11 are lost
			{14, 14, nil},
			{20, 22, []string{"20:6", "21"}},
			{3, 23, []string{"22"}},
		} {
			l, r := against(t, &Config{Books: books})
			r.write(seqFrame(1, part.from, "x"), numberedFrames(1, part.from, part.to))
			require.Equal(t, part.want, received(t, l))
			r.conn.Cut()
			<-l.Done()
		}
		for i, want := range [][]string{{"0"}, nil, {"0"}} {
			books.Welcomed([wire.IDSize]byte{byte(i/2 + 1)})
			l, r := against(t, &Config{Books: books})
			r.write(seqFrame(1, 0, "x"), numberedFrames(1, 0, 1))
			require.Equal(t, want, received(t, l), "it begins anew with another record, and only then")
			r.conn.Cut()
			<-l.Done()
		}
	})
}

func TestHighestNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		const top = uint64(wire.MaxSequence)
		for _, part := range []struct {
			from, to uint64
			want     []string
		}{
			{top, top + 3, []string{fmt.Sprint(top), fmt.Sprint(top + 1), fmt.Sprint(top + 2)}},
			{top, top + 4, []string{fmt.Sprint(top + 3)}},
			{0, 2, nil},
		} {
			l, r := against(t, &Config{Books: books})
			r.write(seqFrame(1, part.from, "x"), numberedFrames(1, part.from, part.to))
			require.Equal(t, part.want, received(t, l))
			r.conn.Cut()
			<-l.Done()
		}
	})
}

// A large message that has been taken already costs no memory, and its credit comes back.
func TestLargeOneComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		taken := 0
		for range 2 {
			l, r := against(t, &Config{Books: books, MaxMessage: 1 << 20})
			r.write(chFrame(1, "x"), wire.AppendAnnounce(nil, 1, 200032))
			require.Equal(t, []string{"CREDIT 1 0 200032"}, r.lines())
			r.write(msgFrames(1, 200000))
			go func() {
				if _, err := l.Receive(t.Context()); err == nil {
					taken++
				}
			}()
			require.Equal(t, []string{"CREDIT 1 200032 331104"}, r.lines())
			require.Equal(t, uint64(64<<10), l.budget.pool.Used(), "what the window has grown by")
			r.conn.Cut()
			<-l.Done()
		}
		synctest.Wait()
		require.Equal(t, 1, taken)
	})
}

func TestTooManyMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		for i := range 5 {
			l, r := against(t, &Config{Books: books, MaxChannels: 300})
			var frames []byte
			for n := range 250 {
				frames = append(frames, chFrame(uint32(n+1), fmt.Sprintf("%d-%d", i, n))...)
			}
			r.write(frames, msgFrames(250, 8))
			got := received(t, l)
			lines := r.lines()
			if i < 4 {
				require.Len(t, got, 1)
				require.Empty(t, lines)
			} else {
				require.Empty(t, got)
				require.Len(t, lines, 5*250-wire.MaxChannels)
				require.Equal(t, "REFUSE 250 code 6", lines[len(lines)-1])
			}
			r.conn.Cut()
			<-l.Done()
		}
		require.Len(t, books.in, wire.MaxChannels)
	})
}

// A link that sends tells the number with which it begins.
func TestNumbersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		begin := func(l *Link, r *raw) map[string]uint64 {
			got := make(map[string]uint64)
			for _, f := range r.read() {
				if f.Type == wire.TypeChannel {
					n, _, name, err := wire.ParseChannel(f.p)
					require.NoError(t, err)
					got[name] = n
				}
			}
			return got
		}
		var last *Link
		for i, want := range []map[string]uint64{{"x": 0, "y": 0}, {"x": 3, "y": 1}, {"x": 6, "y": 2}} {
			l, r := againstOver(t, memnet.Config{}, &Config{Books: books})
			for range 3 {
				require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
			}
			go func() { _, _ = l.Request(t.Context(), "y", channel.Raw, nil) }()
			synctest.Wait()
			require.NoError(t, l.Send(t.Context(), "y", channel.Raw, make([]byte, 60000)))
			require.Equal(t, want, begin(l, r), i)
			last = l
		}
		last.Cut(io.ErrUnexpectedEOF)
	})
}

// The numbers of group messages begin anew with each link, whatever the books keep, and what of
// them was not taken is neither told of nor sent again.
func TestGroupMessagesAreOfOneLink(t *testing.T) {
	for _, keep := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := NewBooks(keep), NewBooks(false)
			for round := range byte(3) {
				ca, cb := memnet.Pipe(memnet.Config{})
				a := start(t, ca, "b", &Config{Books: ours})
				b := start(t, cb, "a", &Config{Initiator: true, Books: theirs, GroupMessages: true})
				b.Pull()
				require.NoError(t, a.Resend(t.Context()))
				require.NoError(t, a.Send(t.Context(), "x", channel.Raw, []byte{round}))
				require.NoError(t, a.SendGroup(t.Context(), NewGroupBody(crew, []byte{round}), "x", channel.Raw))
				require.NoError(t, a.SendGroup(t.Context(), NewGroupBody(crew, []byte("lost")), "x", channel.Raw))
				for range 2 {
					m, err := b.Receive(t.Context(), "x")
					require.NoError(t, err)
					require.Zero(t, m.Missed)
					require.Equal(t, []byte{round}, m.Body)
				}
				require.NoError(t, a.Flush(t.Context()))
				<-time.After(time.Second) // until it is told what was taken
				synctest.Wait()
				require.EqualValues(t, 1, a.out[wire.KindGroup]["x"].book.pending())
				require.Empty(t, a.out[wire.KindGroup]["x"].book.kept)
				require.EqualValues(t, round+1, theirs.in[bookKey{wire.KindApplication, "x"}].mark.Load())
				require.Len(t, theirs.in, 1)
				require.False(t, ours.Pending())
				require.Empty(t, ours.Outstanding())
				b.Cut(channel.ErrClosed)
				<-a.Done()
				var gap *channel.GapError
				require.NotErrorAs(t, context.Cause(a.Context()), &gap)
			}
		})
	}
}

// What a gap says of a channel is not changed by group messages on the channel of that name.
func TestGapIsNotOfGroupMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(true)
		l, r := against(t, &Config{Books: books})
		for _, name := range []string{"x", "y"} {
			require.NoError(t, l.SendGroup(t.Context(), NewGroupBody(crew, nil), name, channel.Raw))
		}
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
		r.lines()
		r.conn.Cut()
		<-l.Done()
		g := gapOf(t, context.Cause(l.Context()))
		require.Equal(t, []channel.ChannelGap{{Channel: "x", Sent: 1, Lost: 1}}, g.Channels)
		require.EqualValues(t, 1, g.Sent)
		require.Len(t, books.Outstanding(), 1)
		l, r = against(t, &Config{Books: books})
		require.NoError(t, l.Resend(t.Context()))
		require.Equal(t, []string{"CHANNEL 1", "MESSAGE 1"}, r.lines())
	})
}
