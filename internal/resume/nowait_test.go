package resume

import (
	"bytes"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/secure"
)

var _ nonblocking = (*secure.Conn)(nil)

// try offers content to TryWriteLent; the buffer is given back if it is not taken.
func try(t testing.TB, c *Conn, content []byte) (ok, rest bool) {
	t.Helper()
	lent := c.Lend()
	n := c.before + copy((*lent)[c.before:], content)
	ok, rest, err := c.TryWriteLent(lent, n)
	require.NoError(t, err)
	if !ok {
		require.True(t, bytes.Equal(content, (*lent)[c.before:n]), "it is as it was")
		c.TakeBack(lent)
	}
	return ok, rest
}

// handWith is hand over a connection that takes so many bytes at once.
func handWith(t testing.TB, buffer int, cfg *Config) (*Conn, *far) {
	t.Helper()
	x, y := lowers(memnet.Config{Buffer: buffer})
	c := New(x, cfg)
	t.Cleanup(func() { c.Fail(nil); _ = y.CloseNow() })
	return c, &far{t, y}
}

// TestTryWriteLent: it does not wait for a connection that takes no more, and what is left comes
// first and once. Both are kept: copies and what lies in its buffer.
func TestTryWriteLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int{100, adoptFrom + 100} {
			c, f := handWith(t, 3*n/2, nil)
			ok, rest := try(t, c, modelTable[:n])
			require.True(t, ok)
			require.False(t, rest)
			ok, rest = try(t, c, modelTable[n:2*n])
			require.True(t, ok)
			require.True(t, rest, "half of it")
			ok, _ = try(t, c, []byte("more"))
			require.False(t, ok, "before the rest is written")

			flushed := make(chan error, 1)
			go func() { flushed <- c.Flush() }()
			synctest.Wait()
			require.Empty(t, flushed)
			require.True(t, bytes.Equal(modelTable[:2*n], f.collect(2*n)))
			require.NoError(t, <-flushed)
			require.NoError(t, c.Flush(), "there is nothing")
			ok, rest = try(t, c, []byte("more"))
			require.True(t, ok)
			require.False(t, rest)
			require.Equal(t, "more", string(f.collect(4)))
		}
	})
}

// TestTryRestAndLoss: a connection is lost with a rest that nobody has flushed; all of it comes
// over the next.
func TestTryRestAndLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := handWith(t, 50, nil)
		_, rest := try(t, c, modelTable[:adoptFrom])
		require.True(t, rest)
		flushed := make(chan error, 1)
		go func() { flushed <- c.Flush() }()
		synctest.Wait()
		f := attach(t, c.Handover(), 0)
		require.NoError(t, <-flushed, "a loss is no error")
		go func() { _, _ = c.ReadRecord() }() // hears what has arrived; ends with c
		require.NoError(t, c.Flush())
		require.True(t, bytes.Equal(modelTable[:adoptFrom], f.collect(adoptFrom)))
	})
}

// TestFlushFails: the connection says that it cannot write.
func TestFlushFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan error, 1)
		x, y := lowers(memnet.Config{Buffer: 10})
		c := New(x, &Config{Lost: func(err error) { lost <- err }})
		defer c.Fail(nil)
		_, rest := try(t, c, []byte("more than ten bytes"))
		require.True(t, rest)
		_ = y.CloseNow()
		require.NoError(t, c.Flush())
		require.Error(t, <-lost)
		ok, _ := try(t, c, []byte("x"))
		require.False(t, ok, "there is no connection")
	})
}

// TestTryWriteLentRefuses: whatever else would have to wait is refused, and nothing happens.
func TestTryWriteLentRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, prepare := range map[string]func(c *Conn, f *far){
			"no connection": func(c *Conn, f *far) { c.DropOld(0, 0) },
			"a connection that waits": func(c *Conn, f *far) {
				x, y := lowers(memnet.Config{})
				x.waits = true
				require.NoError(t, c.Handover().Attach(x, 0))
				t.Cleanup(func() { _ = y.CloseNow() })
			},
			"backlog": func(c *Conn, f *far) {
				attach(t, c.Handover(), 0)
				_, err := c.Write(modelTable[:4*firstRecord])
				require.NoError(t, err)
			},
			"no room": func(c *Conn, f *far) {
				for c.out.kept.fits(firstRecord, c.cfg.Buffer) {
					require.NoError(t, writeRecord(c, modelTable[:firstRecord]))
				}
			},
			"closed":   func(c *Conn, f *far) { require.NoError(t, c.CloseWrite()) },
			"failed":   func(c *Conn, f *far) { c.Fail(nil) },
			"deadline": func(c *Conn, f *far) { require.NoError(t, c.SetWriteDeadline(time.Now())) },
			"a write is at work": func(c *Conn, f *far) {
				c.mu.Lock()
				c.out.busy = true
				c.mu.Unlock()
			},
		} {
			c, f := hand(t, &Config{Buffer: MinBuffer})
			prepare(c, f)
			synctest.Wait()
			before := c.out.kept.end
			ok, rest := try(t, c, modelTable[:firstRecord])
			require.False(t, ok || rest, name)
			require.Equal(t, before, c.out.kept.end, name)
		}
		c, _ := hand(t, nil)
		_, _, err := c.TryWriteLent(c.Lend(), c.before)
		require.Equal(t, errSize, err)
		c.Fail(nil)
		require.ErrorIs(t, c.Flush(), net.ErrClosed)
	})
}

// TestTryReadRecord: only what has been read ahead, and what is wrong with it.
func TestTryReadRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		nothing := func() {
			t.Helper()
			b, err := c.TryReadRecord()
			require.NoError(t, err)
			require.Empty(t, b)
		}
		nothing()
		require.NoError(t, writeRecord(c, []byte("to be acknowledged")))
		f.collect(18)
		f.send(header{}, "one")
		f.send(header{}, "two")
		f.send(header{flags: flagAck, ack: 18}, "")
		f.send(header{}, "three")
		f.send(header{flags: 0x80}, "bad")
		nothing()
		b, err := c.ReadRecord()
		require.NoError(t, err)
		require.Equal(t, "one", string(b))
		for _, want := range []string{"two", "three"} {
			b, err := c.TryReadRecord()
			require.NoError(t, err)
			require.Equal(t, want, string(b))
		}
		require.Zero(t, keeps(c), "the acknowledgement was heard")
		_, err = c.TryReadRecord()
		require.ErrorContains(t, err, "undefined flags")
		nothing()
		_ = f.CloseWrite()
		_, err = c.ReadRecord()
		require.ErrorContains(t, err, "undefined flags", "it is said again at the end")
	})
}

// TestTryReadRecordAfterRead: what Read has left of a record comes first.
func TestTryReadRecordAfterRead(t *testing.T) {
	c, f := hand(t, nil)
	f.send(header{}, "abc")
	b := make([]byte, 1)
	_, err := c.Read(b)
	require.NoError(t, err)
	b, err = c.TryReadRecord()
	require.NoError(t, err)
	require.Equal(t, "bc", string(b))
}
