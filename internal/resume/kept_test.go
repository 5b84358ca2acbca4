package resume

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

func TestKept(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 10 {
		k, limit := &kept{}, MinBuffer<<random.IntN(4)
		var want []byte
		for range 200 {
			n := random.IntN(1 << random.IntN(17))
			piece := modelTable[:min(n, maxSegment)]
			if k.fits(len(piece), limit) {
				k.add(piece, limit)
				want = append(want, piece...)
			} else {
				k.release(k.start + uint64(random.IntN(len(want)+1)))
				want = want[len(want)-int(k.end-k.start):]
			}
			require.LessOrEqual(t, k.memory, limit)
			at := random.IntN(len(want) + 1)
			b := make([]byte, random.IntN(len(want)+1))
			got := k.copy(b, k.start+uint64(at))
			require.Equal(t, min(len(b), len(want)-at), got)
			require.True(t, bytes.Equal(want[at:at+got], b[:got]))
		}
		k.release(k.end)
		require.Equal(t, kept{start: k.end, end: k.end}, *k)
		require.True(t, k.fits(maxSegment, MinBuffer))
	}
}

// TestKeptSmall: what is kept of small writes takes not much more than they have.
func TestKeptSmall(t *testing.T) {
	k := &kept{}
	k.add([]byte("x"), DefaultBuffer)
	require.Equal(t, 512, k.memory)
	for n := 1; n < 1<<20; n += 100 {
		require.LessOrEqual(t, k.memory, 8*max(n, 512))
		if !k.fits(100, DefaultBuffer) {
			require.Greater(t, n, DefaultBuffer*9/10, "what there is of room is used")
			return
		}
		k.add(make([]byte, 100), DefaultBuffer)
	}
}

// TestFull: a full buffer makes writes wait, with a connection and without, and its memory is all
// that is used.
func TestFull(t *testing.T) {
	for name, away := range map[string]bool{"connected": false, "away": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const buffer = 300 << 10
				x, y := lowers(memnet.Config{Buffer: 1 << 20})
				a := watched(x, Config{Buffer: buffer})
				defer a.Fail(nil)
				if away {
					y.Cut()
					<-a.lost
				}
				n, size := 0, 0
				for {
					_ = a.SetWriteDeadline(time.Now().Add(time.Second))
					size = 1 + n%5000
					err := writeRecord(a.Conn, modelTable[n:n+size])
					if err != nil {
						require.ErrorIs(t, err, os.ErrDeadlineExceeded)
						break
					}
					n += size
					require.LessOrEqual(t, keeps(a.Conn), buffer)
				}
				require.Greater(t, n, buffer*9/10)

				_ = a.SetWriteDeadline(time.Time{})
				wrote := make(chan error, 1)
				go func() { wrote <- writeRecord(a.Conn, modelTable[n:n+size]) }()
				synctest.Wait()
				require.Empty(t, wrote)
				f := &far{t, y}
				if away {
					f = attach(t, a.Handover(), 0)
				}
				got := f.collect(n)
				f.send(header{flags: flagAck, ack: uint64(n / 2)}, "")
				require.NoError(t, <-wrote)
				got = append(got, f.collect(size)...)
				require.True(t, bytes.Equal(modelTable[:n+size], got))
			})
		})
	}
}

// TestFullBothWays: two sides that both have a full buffer still hear each other.
func TestFullBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, memnet.Config{Buffer: 1000}, &Config{Buffer: MinBuffer}, &Config{Buffer: MinBuffer})
		const total = 20 * MaxContent
		wrote, got := make(chan error, 2), make(chan int, 2)
		for _, c := range []*Conn{a, b} {
			go func() {
				var err error
				for range total / MaxContent {
					err = errors.Join(err, writeRecord(c, modelTable[:MaxContent]))
				}
				wrote <- err
			}()
			go func() {
				for n := 0; ; {
					b, err := c.ReadRecord()
					if err != nil {
						return
					}
					if n += len(b); n == total {
						got <- n
					}
				}
			}()
		}
		for range 2 {
			require.NoError(t, <-wrote)
			<-got
		}
	})
}

// TestTightBuffer: the other side may hold back an acknowledgement that a small buffer needs, and
// is asked for it.
func TestTightBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := lowers(memnet.Config{Buffer: 1 << 20})
		a, f := watched(x, Config{Buffer: MinBuffer}), &far{t, y}
		defer a.Fail(nil)
		// Segments of 512 B, 64, 64 and 16 KiB, all full, and when all but one byte of the last large
		// one has arrived, one of 64 KiB that is not.
		sent := 0
		send := func(n int) error {
			sent += n
			return writeRecord(a.Conn, modelTable[:n])
		}
		for _, n := range []int{1, 65000, 65000, 2000, 15967} {
			require.NoError(t, send(n))
		}
		f.collect(sent)
		f.send(header{flags: flagAck, ack: 512 + 2*65536 - 1}, "")
		synctest.Wait()
		require.NoError(t, send(20000))
		f.collect(20000)
		require.Less(t, sent-(512+2*65536-1), ackInterval, "so much need not be acknowledged")

		begin := time.Now()
		wrote := make(chan error)
		go func() { wrote <- send(MaxContent) }()
		h, _ := f.next()
		require.Equal(t, byte(flagPing), h.flags)
		require.Empty(t, wrote)
		f.send(header{flags: flagPong | flagAck, pong: h.ping, ack: uint64(sent - MaxContent)}, "")
		require.NoError(t, <-wrote)
		require.Zero(t, time.Since(begin))
	})
}

// TestAfterTheirEnd: who has ended its stream acknowledges nothing any more, and must not stop
// the other by that.
func TestAfterTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, memnet.Config{}, nil, &Config{Buffer: MinBuffer})
		require.NoError(t, a.CloseWrite())
		require.Equal(t, "EOF", readError(b).Error())
		done := make(chan int)
		go func() {
			n := 0
			for {
				b, err := a.ReadRecord()
				if err != nil {
					done <- n
					return
				}
				n += len(b)
			}
		}()
		for range 50 {
			require.NoError(t, writeRecord(b, modelTable[:10000]))
		}
		require.NoError(t, b.CloseWrite())
		require.Equal(t, 50*10000, <-done)
	})
}

// TestIdleMemory: a session that is idle costs less than 1 KiB here.
func TestIdleMemory(t *testing.T) {
	const n = 1000
	x, y := lowers(memnet.Config{Buffer: 1 << 20})
	defer y.CloseNow()
	conns := make([]*Conn, n)
	used := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	for i := range conns {
		conns[i] = New(x, nil)
	}
	each := (used() - before) / n
	require.Less(t, each, uint64(1024))
	require.NotZero(t, each)
	for _, c := range conns {
		c.Fail(nil)
	}
}
