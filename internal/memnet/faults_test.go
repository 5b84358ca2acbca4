package memnet

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCutIn(t *testing.T) {
	a, b := Pipe(Config{})
	_, err := b.Write([]byte("lost"))
	require.NoError(t, err)
	a.CutIn()
	_, err = a.Read(make([]byte, 10))
	require.ErrorIs(t, err, ErrCut)
	_, err = b.Write([]byte("x"))
	require.ErrorIs(t, err, ErrCut)

	_, err = a.Write([]byte("still here"))
	require.NoError(t, err)
	buf := make([]byte, 20)
	n, err := b.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "still here", string(buf[:n]))
}

func TestVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(Config{Buffer: 10})
		_, err := a.Write([]byte("before"))
		require.NoError(t, err)
		waited := make(chan int)
		go func() {
			n, _ := a.Write(make([]byte, 100))
			waited <- n
		}()
		synctest.Wait()
		a.Vanish()
		require.Equal(t, 100, <-waited, "who waits for room does not wait any more")
		_, err = a.Write(make([]byte, 1000))
		require.NoError(t, err)
		_ = a.Close()
		got, err := io.ReadAll(b)
		require.NoError(t, err)
		require.Equal(t, "before\x00\x00\x00\x00", string(got))
	})
}

func TestVanishAfter(t *testing.T) {
	a, b := Pipe(Config{VanishAfter: 4})
	n, err := a.Write([]byte("too much"))
	require.NoError(t, err)
	require.Equal(t, 8, n)
	require.NoError(t, a.CloseWrite())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, "too ", string(got))
}

func TestResetAfter(t *testing.T) {
	a, b := Pipe(Config{ResetAfter: 4})
	n, err := a.Write([]byte("too much"))
	require.ErrorIs(t, err, ErrReset)
	require.Equal(t, 4, n)
	got, err := io.ReadAll(b)
	require.ErrorIs(t, err, ErrReset)
	require.Equal(t, "too ", string(got))
	_, err = b.Write([]byte("up")) // the other direction has carried less
	require.NoError(t, err)
}

func TestDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(Config{Chunk: 2, Drip: time.Second})
		_, err := a.Write([]byte("12345"))
		require.NoError(t, err)
		require.NoError(t, a.Close())
		begin := time.Now()
		got, err := io.ReadAll(b)
		require.NoError(t, err)
		require.Equal(t, "12345", string(got))
		require.Equal(t, 2*time.Second, time.Since(begin))
	})
}

func TestJitter(t *testing.T) {
	arrivals := func(seed uint64) (at []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			a, b := Pipe(Config{Seed: seed, Delay: time.Second, Jitter: time.Second})
			begin := time.Now()
			for i := range byte(10) {
				_, err := a.Write([]byte{i})
				require.NoError(t, err)
			}
			buf := make([]byte, 1)
			for i := range byte(10) {
				_, err := b.Read(buf)
				require.NoError(t, err)
				require.Equal(t, i, buf[0])
				at = append(at, time.Since(begin))
			}
		})
		return at
	}
	first := arrivals(1)
	require.GreaterOrEqual(t, first[0], time.Second)
	require.LessOrEqual(t, first[9], 2*time.Second)
	require.Equal(t, first, arrivals(1))
	require.NotEqual(t, first, arrivals(2))
}
