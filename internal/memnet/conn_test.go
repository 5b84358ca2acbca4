package memnet

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"
)

func TestConn(t *testing.T) {
	for name, cfg := range map[string]Config{
		"plain":  {},
		"chunks": {Chunk: 7, Seed: 1},
		"small":  {Buffer: 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				a, b := Pipe(cfg)
				return a, b, func() { a.Close(); b.Close() }, nil
			})
		})
	}
}

func TestHalfClose(t *testing.T) {
	a, b := Pipe(Config{})
	_, err := a.Write([]byte("last words"))
	require.NoError(t, err)
	require.NoError(t, a.CloseWrite())
	_, err = a.Write([]byte("more"))
	require.ErrorIs(t, err, io.ErrClosedPipe)
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, "last words", string(got))
	_, err = b.Write([]byte("answer"))
	require.NoError(t, err)
	require.NoError(t, b.Close())
	got, err = io.ReadAll(a)
	require.NoError(t, err)
	require.Equal(t, "answer", string(got))
	require.NoError(t, a.Close())
	_, err = a.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestChunks(t *testing.T) {
	sizes := func(seed uint64) (of []int) {
		a, b := Pipe(Config{Seed: seed, Chunk: 10})
		_, err := a.Write(make([]byte, 100))
		require.NoError(t, err)
		for b.Buffered() > 0 {
			n, err := b.Read(make([]byte, 50))
			require.NoError(t, err)
			require.LessOrEqual(t, n, 10)
			of = append(of, n)
		}
		return of
	}
	require.Equal(t, sizes(1), sizes(1))
	require.NotEqual(t, sizes(1), sizes(2))
}

func TestCutAfter(t *testing.T) {
	a, b := Pipe(Config{CutAfter: 150})
	n, err := a.Write(make([]byte, 100))
	require.NoError(t, err)
	require.Equal(t, 100, n)
	n, err = a.Write(make([]byte, 100))
	require.ErrorIs(t, err, ErrCut)
	require.Equal(t, 50, n)
	_, err = b.Read(make([]byte, 1))
	require.ErrorIs(t, err, ErrCut)
	_, err = b.Write([]byte("x"))
	require.ErrorIs(t, err, ErrCut)
}

func TestTryWrite(t *testing.T) {
	a, b := Pipe(Config{Buffer: 5})
	defer a.Close()
	for _, want := range []int{3, 2, 0} {
		n, err := a.TryWrite([]byte("abc"))
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	got := make([]byte, 5)
	_, err := io.ReadFull(b, got)
	require.NoError(t, err)
	require.Equal(t, "abcab", string(got))
	require.NoError(t, b.Close())
	_, err = a.TryWrite([]byte("abc"))
	require.Error(t, err)
}

func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(Config{Buffer: 10})
		b.Stall()
		wrote := false
		go func() {
			_, _ = a.Write(make([]byte, 25))
			wrote = true
			_ = a.Close()
		}()
		var got bytes.Buffer
		go func() { _, _ = got.ReadFrom(b) }()
		synctest.Wait()
		require.False(t, wrote)
		require.Zero(t, got.Len())
		require.Equal(t, 10, b.Buffered())
		b.Resume()
		synctest.Wait()
		require.True(t, wrote)
		require.Equal(t, 25, got.Len())
	})
}

func TestDelayAndDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(Config{Delay: 40 * time.Millisecond})
		begin := time.Now()
		_, err := a.Write([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, b.SetReadDeadline(begin.Add(30*time.Millisecond)))
		_, err = b.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 30*time.Millisecond, time.Since(begin))
		require.NoError(t, b.SetReadDeadline(time.Time{}))
		_, err = b.Read(make([]byte, 1))
		require.NoError(t, err)
		require.Equal(t, 40*time.Millisecond, time.Since(begin))
	})
}
