package resume

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

// TestBreaches: what the other side may not send ends reading with an error for link, which then
// can still tell it so.
func TestBreaches(t *testing.T) {
	ack := func(n uint64) header { return header{flags: flagAck, ack: n} }
	for name, send := range map[string]func(f *far){
		"undefined flag":          func(f *far) { f.send(header{flags: 0x10}, "x") },
		"empty record":            func(f *far) { f.raw([]byte{0}) },
		"cut field":               func(f *far) { f.raw([]byte{flagAck, 0, 0}) },
		"ack beyond what is sent": func(f *far) { f.send(ack(6), "") },
		"ack goes back":           func(f *far) { f.send(ack(5), ""); f.send(ack(4), "") },
		"retry from a client":     func(f *far) { f.send(header{flags: flagRetry, retry: 1}, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, f := hand(t, &Config{Lost: func(error) { t.Error("a breach cannot be mended") }})
				require.NoError(t, writeRecord(c, []byte("hello")))
				f.expect(header{}, "hello")
				send(f)
				_, err := c.ReadRecord()
				requireBreach(t, err)

				drained := make(chan error)
				go func() {
					_, err := c.Read(make([]byte, 10))
					drained <- err
				}()
				require.NoError(t, writeRecord(c, []byte("why")))
				require.NoError(t, c.CloseWrite())
				f.expect(header{}, "why")
				_, err = f.ReadRecord()
				require.Equal(t, io.EOF, err)
				f.send(header{}, "what was under way is dropped")
				synctest.Wait()
				require.Empty(t, drained)
				require.NoError(t, f.Close())
				require.Equal(t, <-drained, readError(c))
			})
		})
	}
}

// readError is what reading returns from then on.
func readError(c *Conn) error {
	_, err := c.ReadRecord()
	return err
}

// raw sends a record as it is.
func (f *far) raw(b []byte) {
	f.t.Helper()
	_, err := f.WriteRecord(append(make([]byte, plainBefore, plainBefore+len(b)+plainAfter), b...))
	require.NoError(f.t, err)
}

func TestAckRepeated(t *testing.T) {
	c, f := hand(t, nil)
	require.NoError(t, writeRecord(c, []byte("hello")))
	f.expect(header{}, "hello")
	for range 2 {
		f.send(header{flags: flagAck, ack: 3}, "x")
		_, err := c.ReadRecord()
		require.NoError(t, err, "the same total again is allowed")
	}
}

// TestBreachAndLoss: a session whose other side broke the protocol does not go on.
func TestBreachAndLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, &Config{Lost: func(error) { t.Error("lost") }})
		f.send(header{flags: 0x80}, "x")
		_, err := c.ReadRecord()
		requireBreach(t, err)
		f.Cut()
		require.Equal(t, err, readError(c))
		require.Equal(t, err, c.Holds(0))
		_, away := c.Away()
		require.False(t, away)
		require.Equal(t, err, writeRecord(c, []byte("x")))
	})
}

func TestEndBeforeWhatHadArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		h := c.Handover()
		f.send(header{}, "one two")
		_, err := c.ReadRecord()
		require.NoError(t, err)
		x, y := lowers(memnet.Config{})
		require.NoError(t, h.Attach(x, 0))
		f = &far{t, y}
		f.send(header{}, "one")
		require.NoError(t, y.CloseWrite())
		_, err = c.ReadRecord()
		requireBreach(t, err)
	})
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard time.Duration
		a, b := pair(t, memnet.Config{}, &Config{Retry: func(d time.Duration) { heard = d }}, nil)
		b.Announce(5 * time.Second)
		require.NoError(t, writeRecord(b, []byte("x")))
		_, err := a.ReadRecord()
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, heard)

		// Who may not have heard it hears what is left.
		<-time.After(2 * time.Second)
		go func() { _, _ = a.ReadRecord() }()
		go func() { _, _ = b.ReadRecord() }()
		reconnect(t, memnet.Config{}, a, b)
		synctest.Wait()
		require.Equal(t, 3*time.Second, heard)

		<-time.After(4 * time.Second)
		heard = -1
		reconnect(t, memnet.Config{}, a, b)
		synctest.Wait()
		require.Equal(t, time.Duration(-1), heard, "it is over")
	})
}
