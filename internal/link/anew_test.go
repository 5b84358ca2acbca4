package link

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// fill sends on so many new names over one link, all of which are taken.
func fill(t *testing.T, books *Books, from, n int) {
	t.Helper()
	l, r := against(t, &Config{Books: books})
	for i := range n {
		require.NoError(t, l.Send(t.Context(), fmt.Sprint("to", from+i), channel.Raw, nil))
		r.read()
		r.write(credit(uint32(i+1), 32, 70000))
	}
	synctest.Wait()
	l.Cut(io.EOF)
	require.False(t, books.Pending())
}

// Books that hold more names than there may be are begun anew with the next link, both directions
// at once, under another record.
func TestBooksAreBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		record := books.Record()
		l, r := against(t, &Config{Books: books})
		r.write(seqFrame(1, 0, "x"), numberedFrames(1, 0, 3))
		require.Equal(t, []string{"0", "1", "2"}, received(t, l))
		l.Cut(io.EOF)
		fill(t, books, 0, ownChannels)
		fill(t, books, ownChannels, wire.MaxGroupChannels-1)
		require.Equal(t, record, books.Record())
		fill(t, books, 0, 1)
		fill(t, books, 2000, 1)
		require.Equal(t, record, books.Record(), "as many as there may be")

		l, _ = against(t, &Config{Books: books})
		require.NoError(t, l.Send(t.Context(), "one-more", channel.Raw, nil))
		require.NoError(t, l.Send(t.Context(), "to0", channel.Raw, nil))
		other := books.Record()
		require.NotEqual(t, record, other)
		require.Equal(t, other, books.Record(), "it is the same until there is a link")
		require.Len(t, books.out, wire.MaxChannels+1)

		l2, r2 := against(t, &Config{Books: books})
		g := gapOf(t, l.Close(0, ""))
		require.Equal(t, uint64(wire.MaxChannels+1+2), g.Sent)
		require.Equal(t, uint64(wire.MaxChannels+1), g.Taken, "the older link tells what was lost")
		require.Equal(t, other, books.Record())
		require.Empty(t, books.out)
		require.Empty(t, books.in)
		require.NoError(t, l2.Send(t.Context(), "to0", channel.Raw, nil))
		require.Contains(t, keptLines(r2), "to0 from 0")
		r2.write(seqFrame(1, 1, "x"), numberedFrames(1, 1, 4))
		require.Equal(t, []string{"1", "2", "3"}, received(t, l2), "what was taken is forgotten")
		l2.Cut(io.EOF)
		g = gapOf(t, l2.Close(0, ""))
		require.Equal(t, uint64(wire.MaxChannels+1+3), g.Sent, "from the first link on")
		require.Equal(t, []channel.ChannelGap{{Channel: "to0", Sent: 1, Lost: 1}}, g.Channels)
	})
}

// An instance whose peer has used up the names gets new channels again with the next link.
func TestBooksOfTooManyMarksAreBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		open := func(prefix string, n int) (refused int) {
			l, r := against(t, &Config{Books: books, MaxChannels: wire.MaxChannels})
			var frames []byte
			for i := range n {
				frames = append(frames, chFrame(uint32(i+1), fmt.Sprint(prefix, i))...)
			}
			r.write(frames)
			refused = len(r.lines())
			l.Cut(io.EOF)
			return refused
		}
		record := books.Record()
		require.Zero(t, open("a", wire.MaxChannels))
		require.Equal(t, record, books.Record(), "it is as much as there may be")
		require.Zero(t, open("a", wire.MaxChannels))
		require.Equal(t, record, books.Record())
		require.Equal(t, 2, open("b", 2))
		require.NotEqual(t, record, books.Record())
		require.Zero(t, open("b", 2))
		require.Len(t, books.in, 2)
	})
}

// Books that keep messages, and those of an initiator, hold so many names and no more.
func TestNamesThatGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(true)
		record := books.Record()
		l, _ := against(t, &Config{Books: books})
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
		l.Cut(io.EOF)
		for i := range maxNames - 1 {
			books.out[bookKey{name: fmt.Sprint(i)}] = new(outBook)
		}
		require.Equal(t, record, books.Record())
		l, _ = against(t, &Config{Books: books})
		require.ErrorIs(t, l.Send(t.Context(), "one-more", channel.Raw, nil), channel.CodeLimit)
		require.NoError(t, l.Send(t.Context(), "7", channel.Raw, nil))
		require.Contains(t, books.out, bookKey{name: "x"})
		l.Cut(io.EOF)
	})
}

// What is lost before a channel was ever heard of is known under the first record, and no later one.
func TestMissedFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := NewBooks(false)
		for i, c := range []struct {
			record byte
			from   uint64
			name   string
			want   string
		}{
			{1, 0, "x", "0"},
			{1, 3, "y", "3:3"}, // the link that would have brought CHANNEL and the first three was lost
			{1, 5, "y", "5:1"},
			{2, 4, "y", "4"}, // it is not known whether this one's 0 to 3 had been taken
			{2, 9, "z", "9"},
			{1, 9, "z", "9"},
		} {
			books.Welcomed([wire.IDSize]byte{c.record})
			l, r := against(t, &Config{Initiator: true, Books: books})
			r.write(seqFrame(1, c.from, c.name), numberedFrames(1, c.from, c.from+1))
			require.Equal(t, []string{c.want}, received(t, l), i)
			l.Cut(io.EOF)
		}
	})
}

// Full books hold what BooksMemory says.
func TestBooksMemory(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const n = 8
	before := heap()
	all := make([]*Books, n)
	for i := range all {
		b := NewBooks(false)
		for i := range 2 * wire.MaxChannels {
			b.inBook(bookKey{name: fmt.Sprintf("%0*d", wire.MaxChannelName, i)}, 0)
			b.out[bookKey{name: fmt.Sprintf("%0*d", wire.MaxChannelName, i)}] = new(outBook)
		}
		require.Len(t, b.in, wire.MaxChannels)
		all[i] = b
	}
	each := (heap() - before) / n
	require.Less(t, each, int64(BooksMemory))
	require.Greater(t, each, int64(BooksMemory/2))
	runtime.KeepAlive(all)
}
