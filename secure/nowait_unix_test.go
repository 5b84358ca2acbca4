//go:build unix

package secure

import (
	"bytes"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// roomy makes what WriteRecord wants.
func roomy(content []byte) []byte {
	return append(make([]byte, HeadRoom, HeadRoom+len(content)+TailRoom), content...)
}

// fillUp writes records without waiting until the socket takes no more, and returns what was written.
func fillUp(t *testing.T, c *Conn) (written []byte) {
	t.Helper()
	for k := byte(0); ; k++ {
		content := bytes.Repeat([]byte{k}, MaxContent)
		write := c.TryWriteRecord
		if k%2 == 1 {
			write = c.TryWriteRecordFrom
		}
		rest, err := write(roomy(content))
		require.NoError(t, err)
		written = append(written, content...)
		if rest {
			return written
		}
		require.Less(t, len(written), 1<<30, "the socket takes everything")
	}
}

// What a socket does not take at once is kept, and comes before what is written next, by whoever it is.
func TestTryWriteRecord(t *testing.T) {
	for name, next := range map[string]func(c *Conn) error{
		"flush":   func(c *Conn) error { return c.Flush() },
		"write":   func(c *Conn) error { _, err := c.Write([]byte("x")); return err },
		"record":  func(c *Conn) error { _, err := c.WriteRecord(roomy([]byte("x"))); return err },
		"again":   func(c *Conn) error { _, err := c.TryWriteRecord(roomy([]byte("x"))); return err },
		"the end": func(c *Conn) error { return c.CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			i, r := connectOver(t, tcpPair)
			require.True(t, i.CanTry())
			written := fillUp(t, i)
			done := make(chan error, 1)
			go func() { done <- next(i) }()
			got := make([]byte, len(written))
			_, err := io.ReadFull(r, got)
			require.NoError(t, err)
			require.True(t, bytes.Equal(written, got))
			require.NoError(t, <-done)
			require.NoError(t, i.Flush(), "nothing is left")
		})
	}
}

// A rekey that comes with a record is left with it.
func TestTryWriteRekey(t *testing.T) {
	i, r := connectOver(t, tcpPair)
	i.out.keys, r.in.keys = skipTo(t, rekeyInterval-1)
	written := fillUp(t, i)
	go func() { _ = i.Flush() }() // ends with the test
	got := make([]byte, len(written))
	_, err := io.ReadFull(r, got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(written, got))
}

func TestTryWriteErrors(t *testing.T) {
	i, _ := connectOver(t, tcpPair)
	_, err := i.TryWriteRecord(make([]byte, HeadRoom+1))
	require.Equal(t, errRecord, err)
	_, err = i.TryWriteRecordFrom(make([]byte, HeadRoom))
	require.Equal(t, errRecord, err)

	require.NoError(t, i.SetWriteDeadline(time.Now()))
	rest, err := i.TryWriteRecord(roomy([]byte("late")))
	require.ErrorContains(t, err, "timeout")
	require.False(t, rest, "nothing was sealed")
	require.NoError(t, i.SetWriteDeadline(time.Time{}))

	fillUp(t, i)
	require.NoError(t, i.CloseNow())
	for _, err := range []error{i.Flush(), second(i.TryWriteRecord(roomy([]byte("x")))), second(i.TryReadRecord())} {
		require.ErrorIs(t, err, net.ErrClosed)
	}

	i, _ = connectOver(t, tcpPair)
	require.NoError(t, i.conn.(*net.TCPConn).CloseWrite())
	_, err = i.TryWriteRecord(roomy([]byte("x")))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.Equal(t, err, i.Flush(), "an error is final")
}

func second[T any](_ T, err error) error { return err }

// Where it cannot be done without waiting it waits, and leaves nothing.
func TestTryWriteRecordWaits(t *testing.T) {
	i, r := connectOver(t, pipePair)
	require.False(t, i.CanTry())
	got := make(chan []byte)
	go func() {
		b, _ := r.ReadRecord()
		got <- b
	}()
	rest, err := i.TryWriteRecord(roomy([]byte("over a pipe")))
	require.NoError(t, err)
	require.False(t, rest)
	require.Equal(t, "over a pipe", string(<-got))
}

// TestTryWriteAllocations: a record that the socket takes costs none.
func TestTryWriteAllocations(t *testing.T) {
	i, r := connectOver(t, tcpPair)
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with i
	b := roomy(make([]byte, 100))
	for range 10 {
		_, _ = i.TryWriteRecord(b)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := i.TryWriteRecord(b); err != nil {
			panic(err)
		}
	}))
}
