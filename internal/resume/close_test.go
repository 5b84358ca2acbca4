package resume

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, memnet.Config{}, nil, nil)
		_, err := a.Write(make([]byte, 100<<10)) // more than the network holds
		require.NoError(t, err)
		got := make(chan int)
		go func() {
			n, err := io.Copy(io.Discard, b)
			require.NoError(t, err)
			got <- int(n)
		}()
		require.NoError(t, a.Close())
		require.Equal(t, 100<<10, <-got)
		require.ErrorIs(t, a.Close(), net.ErrClosed)
		require.ErrorIs(t, writeRecord(a, []byte("x")), net.ErrClosed)
		require.ErrorIs(t, readError(a), net.ErrClosed)
		require.ErrorIs(t, a.CloseWrite(), net.ErrClosed)
		require.ErrorIs(t, a.SetDeadline(time.Time{}), net.ErrClosed)
		require.ErrorIs(t, a.Holds(0), net.ErrClosed)
		_, away := a.Away()
		require.False(t, away)
	})
}

// TestCloseCutsShort: what cannot be written is not passed off as the whole stream.
func TestCloseCutsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		_, err := c.Write(make([]byte, 2<<20/2-100<<10))
		require.NoError(t, err)
		synctest.Wait()
		x, y := lowers(memnet.Config{Buffer: 1000})
		require.NoError(t, c.Handover().Attach(x, 0))
		_ = f
		begin := time.Now()
		require.NoError(t, c.Close())
		require.Equal(t, closeGrace, time.Since(begin))
		for err = nil; err == nil; {
			_, err = y.ReadRecord()
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

// TestWaitersEnd: whoever waits is told when the Conn ends, with a connection and without.
func TestWaitersEnd(t *testing.T) {
	cause := errors.New("the session is over")
	for name, end := range map[string]func(c *Conn) error{
		"Close": func(c *Conn) error { _ = c.Close(); return net.ErrClosed },
		"Fail":  func(c *Conn) error { c.Fail(cause); return cause },
	} {
		for where, away := range map[string]bool{"connected": false, "away": true} {
			t.Run(name+" "+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x, y := lowers(memnet.Config{Buffer: 10})
					defer y.CloseNow()
					c := New(x, &Config{Buffer: MinBuffer})
					if away {
						x.Cut()
					}
					errs := make(chan error, 2)
					go func() { errs <- readError(c) }()
					go func() {
						var err error
						for err == nil {
							_, err = c.Write(make([]byte, 10000))
						}
						errs <- err
					}()
					synctest.Wait()
					require.Empty(t, errs)
					want := end(c)
					require.Equal(t, want, <-errs)
					require.Equal(t, want, <-errs)
					require.Zero(t, keeps(c))
				})
			})
		}
	}
}

func TestDeadlinesWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		begin := time.Now()
		require.NoError(t, c.SetDeadline(begin.Add(time.Minute)))
		f.Cut()
		require.True(t, isDeadline(readError(c)))
		require.Equal(t, time.Minute, time.Since(begin))
		_, err := c.Write([]byte("x"))
		require.True(t, isDeadline(err))

		// One that is set is the new connection's as well.
		require.NoError(t, c.SetReadDeadline(begin.Add(2*time.Minute)))
		attach(t, c.Handover(), 0)
		require.True(t, isDeadline(readError(c)))
		require.Equal(t, 2*time.Minute, time.Since(begin))

		// And one that is moved wakes who waits.
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		got := make(chan error, 1)
		go func() { got <- readError(c) }()
		synctest.Wait()
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Second)))
		require.True(t, isDeadline(<-got))
	})
}

func TestWriteRecordSizes(t *testing.T) {
	c, f := hand(t, nil)
	before, after := c.RecordRoom()
	for _, b := range [][]byte{nil, make([]byte, before), make([]byte, before+MaxContent+1, before+MaxContent+1+after),
		make([]byte, before+1)} {
		_, err := c.WriteRecord(b)
		require.Equal(t, errSize, err)
	}
	for _, n := range []int{1, MaxDirect - 1, MaxDirect, MaxContent} {
		require.NoError(t, writeRecord(c, modelTable[:n]))
		for n > 0 {
			_, b := f.next()
			n -= len(b)
		}
	}
}
