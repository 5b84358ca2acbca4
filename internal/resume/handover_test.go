package resume

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

// attach goes over to another connection, whose other end the test plays.
func attach(t *testing.T, h *Handover, theirs uint64) *far {
	t.Helper()
	x, y := lowers(memnet.Config{Buffer: 1 << 20})
	require.NoError(t, h.Attach(x, theirs))
	return &far{t, y}
}

func TestPositions(t *testing.T) {
	c, f := hand(t, nil)
	require.NoError(t, writeRecord(c, []byte("0123456789")))
	f.expect(header{}, "0123456789")
	f.send(header{flags: flagAck, ack: 4}, "x")
	_, err := c.ReadRecord()
	require.NoError(t, err)

	x, _ := lowers(memnet.Config{})
	h := c.Handover()
	for _, bad := range []uint64{0, 3, 11, 1 << 63} {
		require.ErrorIs(t, c.Holds(bad), ErrPosition)
		require.ErrorIs(t, h.Attach(x, bad), ErrPosition)
	}
	require.False(t, x.closed.Load(), "a connection that is not taken over is not touched")
	for _, good := range []uint64{4, 7, 10} {
		require.NoError(t, c.Holds(good))
	}
	f = attach(t, h, 7)
	f.expect(header{}, "789")
}

// TestNeverSent: what waits while there is no connection was not sent, and cannot have arrived.
func TestNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		go func() { _, _ = c.ReadRecord() }()
		f.Cut()
		synctest.Wait()
		require.NoError(t, writeRecord(c, []byte("kept")))
		require.ErrorIs(t, c.Holds(4), ErrPosition)
		require.NoError(t, c.Holds(0))
		f = attach(t, c.Handover(), 0)
		f.expect(header{}, "kept")
		require.NoError(t, c.Holds(4))
	})
}

func TestSuperseded(t *testing.T) {
	c, _ := hand(t, nil)
	x, _ := lowers(memnet.Config{})
	older, newer := c.Handover(), c.Handover()
	require.ErrorIs(t, older.Attach(x, 0), ErrSuperseded)
	older.Abort() // of no use any more, and no harm
	attach(t, newer, 0)
	require.ErrorIs(t, newer.Attach(x, 0), ErrSuperseded, "one handover, one connection")
	aborted := c.Handover()
	aborted.Abort()
	require.ErrorIs(t, aborted.Attach(x, 0), ErrSuperseded)

	late := c.Handover()
	c.Fail(io.ErrNoProgress)
	require.Equal(t, io.ErrNoProgress, late.Attach(x, 0))
	require.Equal(t, io.ErrNoProgress, c.Handover().Attach(x, 0))
	require.False(t, x.closed.Load())
}

// TestOverlap: the old connection is read until Attach; what it brought beyond the position told
// comes again, is dropped, and is acknowledged at once and not before.
func TestOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		var got strings.Builder
		go func() {
			for {
				b, err := c.ReadRecord()
				if err != nil {
					return
				}
				got.Write(b)
			}
		}()
		f.send(header{}, "one ")
		synctest.Wait()
		h := c.Handover()
		require.EqualValues(t, 4, h.Position())
		f.send(header{}, "two ")
		synctest.Wait()
		require.NoError(t, writeRecord(c, []byte("answer")))
		f.expect(header{flags: flagAck, ack: 4}, "answer")

		old := f
		f = attach(t, h, 6)
		_, err := old.ReadRecord()
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the old connection is closed, without an end")
		require.NoError(t, writeRecord(c, []byte("more")))
		f.expect(header{}, "more") // nothing is known of "two " on this connection
		f.send(header{}, "tw")
		synctest.Wait()
		f.expect(header{flags: flagAck, ack: 6}, "")
		f.send(header{}, "o three")
		synctest.Wait()
		f.expect(header{flags: flagAck, ack: 13}, "")
		require.Equal(t, "one two three", got.String())
		f.quiet()
	})
}

// TestEarlyAck: a side may acknowledge what it has from an older connection before that has come
// again, and it comes again all the same.
func TestEarlyAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := hand(t, nil)
		const total = 2 * MaxDirect
		require.NoError(t, writeRecord(c, modelTable[:MaxDirect]))
		require.NoError(t, writeRecord(c, modelTable[MaxDirect:total]))
		x, y := lowers(memnet.Config{Buffer: 1000}) // the first record fills it
		require.NoError(t, c.Handover().Attach(x, 2))
		f := &far{t, y}
		go func() { _, _ = c.ReadRecord() }()
		synctest.Wait()
		f.send(header{flags: flagAck, ack: total}, "")
		synctest.Wait()
		var got []byte
		for len(got) < total-2 {
			_, b := f.next()
			got = append(got, b...)
		}
		require.True(t, bytes.Equal(modelTable[2:total], got))
		synctest.Wait()
		require.Zero(t, keeps(c))
		require.ErrorIs(t, c.Holds(total-1), ErrPosition)
	})
}

// TestAbort lets acknowledgements go that a handover held back.
func TestAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		go func() {
			for {
				if _, err := c.ReadRecord(); err != nil {
					return
				}
			}
		}()
		h := c.Handover()
		f.send(header{}, strings.Repeat("x", 40000))
		f.send(header{}, strings.Repeat("x", 40000))
		synctest.Wait()
		f.quiet()
		h.Abort()
		synctest.Wait()
		f.expect(header{flags: flagAck, ack: 80000}, "")
	})
}

// TestBacklogFirst: what is sent again goes before what is new, and the end after all.
func TestBacklogFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		go func() { _, _ = c.ReadRecord() }()
		f.Cut()
		synctest.Wait()
		since, away := c.Away()
		require.True(t, away)
		require.Equal(t, time.Now(), since)
		for range 1000 {
			require.NoError(t, writeRecord(c, []byte(strings.Repeat("x", 100))))
		}
		require.NoError(t, c.CloseWrite())
		require.ErrorIs(t, writeRecord(c, []byte("x")), ErrWriteClosed)
		for range 2 { // the end comes again, too
			f = attach(t, c.Handover(), 0)
			require.Len(t, f.collect(1000*100), 1000*100)
			_, err := f.ReadRecord()
			require.Equal(t, io.EOF, err)
		}
		_, away = c.Away()
		require.False(t, away)
	})
}

// TestAttachUnderLock: Attach does not wait for a connection that takes nothing yet.
func TestAttachUnderLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		go func() { _, _ = c.ReadRecord() }()
		f.Cut()
		synctest.Wait()
		require.NoError(t, writeRecord(c, []byte("kept")))
		x, y := lowers(memnet.Config{})
		x.mu.Lock()
		require.NoError(t, c.Handover().Attach(x, 0))
		x.mu.Unlock()
		(&far{t, y}).expect(header{}, "kept")
	})
}

// TestWriterFreed: a write that hangs in the old connection returns with the new one, and what it
// wrote is sent again.
func TestWriterFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, _ := lowers(memnet.Config{Buffer: 10})
		c := New(x, nil)
		defer c.Fail(nil)
		wrote := make(chan error)
		go func() { wrote <- writeRecord(c, []byte("more than ten bytes")) }()
		synctest.Wait()
		require.Empty(t, wrote)
		f := attach(t, c.Handover(), 0)
		require.NoError(t, <-wrote)
		f.expect(header{}, "more than ten bytes")
	})
}

// wide needs more room than others.
type wide struct{ *plain }

func (wide) RecordRoom() (before, after int) { return 10, 10 }

func TestOtherRoom(t *testing.T) {
	c, _ := hand(t, nil)
	x, _ := lowers(memnet.Config{})
	require.Equal(t, errRoom, c.Handover().Attach(wide{x}, 0))
}

func TestTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		begin := time.Now()
		<-time.After(time.Second)
		require.NoError(t, writeRecord(c, []byte("12345")))
		f.send(header{}, "123")
		_, err := c.ReadRecord()
		require.NoError(t, err)
		since, n := c.Traffic()
		require.Equal(t, begin, since)
		require.EqualValues(t, 6+4, n)

		attach(t, c.Handover(), 5)
		since, n = c.Traffic()
		require.Equal(t, time.Now(), since)
		require.Zero(t, n)
		require.Equal(t, memnet.Addr("a"), c.LocalAddr())
		require.Equal(t, memnet.Addr("b"), c.RemoteAddr())
		c.Fail(net.ErrClosed)
		_, n = c.Traffic()
		require.Zero(t, n)
	})
}
