package resume

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

// behind makes a Conn that has n bytes to send again, over a connection whose other end the test
// plays, and reads it for ever.
func behind(t *testing.T, n int) (*Conn, *far) {
	t.Helper()
	c, _ := hand(t, nil)
	for rest := modelTable[:n]; len(rest) > 0; {
		size := min(len(rest), 50000)
		require.NoError(t, writeRecord(c, rest[:size]))
		rest = rest[size:]
	}
	go func() {
		for {
			if _, err := c.ReadRecord(); err != nil {
				return
			}
		}
	}()
	return c, attach(t, c.Handover(), 0)
}

// TestWindow: after a handover as much is under way as is known to have arrived, twice, and a PING
// that asks for more.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 300 << 10
		_, f := behind(t, total)
		var got []byte
		var ping uint32
		begin := time.Now()
		round := func(want int, asks bool) {
			t.Helper()
			synctest.Wait()
			h, b := f.next()
			require.Equal(t, header{}, h)
			require.Len(t, b, want)
			got = append(got, b...)
			if asks {
				h, _ = f.next()
				require.Equal(t, byte(flagPing), h.flags)
				ping = h.ping
			}
			f.quiet()
		}
		round(4<<10, true)
		f.send(header{flags: flagPong, pong: ping}, "") // it has arrived, although it is not acknowledged
		round(8<<10, true)
		f.send(header{flags: flagAck, ack: 4 << 10}, "") // nothing new
		synctest.Wait()
		f.quiet()
		f.send(header{flags: flagAck, ack: 8 << 10}, "")
		round(12<<10, false) // with the 4 KiB before these 16 KiB, and there is a PING
		f.send(header{flags: flagAck | flagPong, ack: 20 << 10, pong: ping}, "")
		round(36<<10, true) // with 4 KiB
		f.send(header{flags: flagPong, pong: ping}, "")
		synctest.Wait()
		h, b := f.next()
		require.Equal(t, header{}, h)
		require.Len(t, b, MaxDirect, "there is no limit any more")
		got = append(append(got, b...), f.collect(total-len(got)-len(b))...)
		require.True(t, bytes.Equal(modelTable[:total], got))
		require.Zero(t, time.Since(begin), "nothing of that waits for the keepalive")
	})
}

// TestWindowOfWrites: what is written goes to a new connection at once if it is little, and in
// small records if it is much.
func TestWindowOfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := behind(t, 0)
		require.NoError(t, writeRecord(c, modelTable[:1000]))
		f.expect(header{}, string(modelTable[:1000]))
		require.NoError(t, writeRecord(c, modelTable[1000:50000]))
		_, b := f.next()
		require.Len(t, b, firstRecord-1000)
		require.True(t, bytes.Equal(modelTable[1000+len(b):50000], f.collect(50000-1000-len(b))))
		synctest.Wait()
		f.quiet()
		require.NoError(t, writeRecord(c, modelTable[:MaxDirect]))
		_, b = f.next()
		require.Len(t, b, MaxDirect)
	})
}

// TestWindowLifted: who hears no acknowledgement any more does not wait for one.
func TestWindowLifted(t *testing.T) {
	const total = 50000
	for name, lift := range map[string]func(c *Conn, f *far) error{
		"their end": func(_ *Conn, f *far) error { return f.CloseWrite() },
		"a breach":  func(_ *Conn, f *far) error { f.send(header{flags: 0x80}, "x"); return nil },
		"our close": func(c *Conn, _ *far) error { return c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, f := behind(t, total)
				synctest.Wait()
				begin := time.Now()
				require.NoError(t, lift(c, f))
				n := 0
				for n < total {
					_, b := f.next()
					require.LessOrEqual(t, len(b), firstRecord)
					n += len(b)
				}
				require.Equal(t, total, n)
				require.Zero(t, time.Since(begin))
			})
		})
	}
	t.Run("their end, earlier", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, f := behind(t, total)
			require.NoError(t, f.CloseWrite())
			synctest.Wait()
			f = attach(t, c.Handover(), 0)
			require.NoError(t, c.CloseWrite())
			for n := 0; n < total; {
				_, b := f.next()
				n += len(b)
			}
			_, err := f.ReadRecord()
			require.Equal(t, io.EOF, err)
		})
	})
}

// TestSoonAcknowledged: the first bytes on another connection are.
func TestSoonAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, f := behind(t, 0)
		f.send(header{}, "first")
		synctest.Wait()
		f.expect(header{flags: flagAck, ack: 5}, "")
		f.send(header{}, "second")
		synctest.Wait()
		f.quiet()
	})
}

// TestShortConnections: connections that each carry little bring a stream forward, even if they
// take with them what is under way.
func TestShortConnections(t *testing.T) {
	for name, cfg := range map[string]memnet.Config{
		"cut":       {CutAfter: 8 << 10},
		"cut, far":  {CutAfter: 8 << 10, Delay: 300e6, Buffer: 1 << 20},
		"reset":     {ResetAfter: 8 << 10},
		"vanish":    {VanishAfter: 8 << 10},
		"much more": {CutAfter: 100 << 10, Delay: 300e6, Buffer: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const total = 200 << 10
				x, y := lowers(cfg)
				lost := make(chan error, 2)
				watch := func(err error) { lost <- err }
				a, b := New(x, &Config{Lost: watch}), New(y, &Config{Lost: watch})
				defer b.Fail(nil)
				defer a.Fail(nil)
				go func() { _, _ = a.ReadRecord() }()
				arrived := make(chan bool)
				go func() {
					defer close(arrived)
					for n := 0; n < total; {
						r, err := b.ReadRecord()
						if err != nil {
							return
						}
						n += len(r)
					}
				}()
				for range 4 {
					require.NoError(t, writeRecord(a, modelTable[:total/4]))
				}
				for range total / firstRecord {
					select {
					case <-arrived:
						return
					case <-lost:
					}
					reconnect(t, cfg, a, b)
					synctest.Wait()
					for len(lost) > 0 { // of both sides, or of the last connection
						<-lost
					}
					if _, away := a.Away(); away {
						lost <- nil
					}
				}
				<-arrived
			})
		})
	}
}
