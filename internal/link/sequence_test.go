package link

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

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
			require.Equal(t, uint64(64<<10), l.pool.Used(), "what the window has grown by")
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

// Each kind of channel has numbers of its own, on each side; what was lost of several kinds of one name is told under that name.
func TestKindsHaveNumbersOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := NewBooks(true), NewBooks(false)
		for round := range uint64(3) {
			ca, cb := memnet.Pipe(memnet.Config{})
			a := start(t, ca, "b", &Config{Initiator: true, Books: ours})
			b := start(t, cb, "a", &Config{Books: theirs, GroupMessages: true})
			b.Pull()
			require.NoError(t, a.Resend(t.Context()))
			require.NoError(t, a.SendGroup(t.Context(), crew, "x", channel.Raw, []byte{byte(round)}))
			require.NoError(t, a.Send(t.Context(), "x", channel.Raw, []byte{byte(round)}))
			for range 2 {
				m, err := b.Receive(t.Context(), "x")
				require.NoError(t, err)
				require.Zero(t, m.Missed)
				require.Equal(t, []byte{byte(round)}, m.Body)
			}
			require.NoError(t, a.Flush(t.Context()))
			synctest.Wait()
			require.Equal(t, round+1, theirs.in[bookKey{wire.KindGroup, "x"}].mark.Load())
			require.Equal(t, round+1, theirs.in[bookKey{wire.KindApplication, "x"}].mark.Load())
			b.Cut(channel.ErrClosed)
			<-a.Done()
		}
	})
	for _, keep := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			books := NewBooks(keep)
			l, r := against(t, &Config{Initiator: true, Books: books})
			for i := range 3 {
				require.NoError(t, l.SendGroup(t.Context(), crew, "x", channel.Raw, make([]byte, i)))
			}
			require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
			require.NoError(t, l.SendGroup(t.Context(), crew, "y", channel.Raw, nil))
			r.lines()
			r.write(credit(1, 32+uint64(crew.Size()), 70000))
			synctest.Wait()
			r.conn.Cut()
			<-l.Done()
			var gap *channel.GapError
			require.ErrorAs(t, context.Cause(l.Context()), &gap)
			require.Equal(t, []channel.ChannelGap{{Channel: "x", Sent: 4, Taken: 1}, {Channel: "y", Sent: 1, Taken: 0}}, gap.Channels)
			require.Equal(t, []string{"x", "y"}, l.Lossy())
			if keep {
				require.Len(t, books.Outstanding(), 3)
				l, r = against(t, &Config{Initiator: true, Books: books})
				require.NoError(t, l.Resend(t.Context()))
				n, size := 0, crew.Size()
				for _, f := range r.read() {
					if f.Type == wire.TypeMessage {
						n += len(f.p)
					}
				}
				require.Equal(t, 1+2+3*size, n, "with their heads")
				flushed := make(chan error, 1)
				go func() {
					for _, receipt := range books.Outstanding() {
						if err := l.AwaitTaken(t.Context(), receipt); err != nil {
							flushed <- err
						}
					}
					flushed <- nil
				}()
				synctest.Wait()
				r.write(credit(1, 32, 70000), credit(2, 64+3+2*uint64(size), 70000), credit(3, 32+uint64(size), 70000))
				require.NoError(t, <-flushed)
			}
		})
	}
}
