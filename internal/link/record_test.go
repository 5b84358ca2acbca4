package link

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// choppingConn is a recordConn whose records are of random sizes, so that frames begin and end anywhere in them.
type choppingConn struct {
	net.Conn
	rng *rand.Rand
	buf []byte
}

const chopBefore, chopAfter = 5, 7

func (c *choppingConn) RecordRoom() (before, after int) { return chopBefore, chopAfter }

func (c *choppingConn) ReadRecord() ([]byte, error) {
	c.buf = make([]byte, 1+c.rng.IntN(40_000)) // a new one: what was returned before must not be relied on
	n, err := c.Read(c.buf)
	return c.buf[:n], err
}

func (c *choppingConn) WriteRecord(b []byte) (int, error) {
	if len(b) <= chopBefore || cap(b)-len(b) < chopAfter || len(b)-chopBefore > wire.MaxRecord-1-32 {
		return 0, errors.New("no room around the record")
	}
	n, err := c.Write(b[chopBefore:])
	clear(b[:len(b)+chopAfter])
	return n, err
}

// TestRecords sends messages of all sizes over records that are cut anywhere.
func TestRecords(t *testing.T) {
	ctx := t.Context()
	ca, cb := net.Pipe()
	a := New(&choppingConn{Conn: ca, rng: rand.New(rand.NewPCG(1, 1))}, &Config{Initiator: true, Peer: &channel.Peer{Name: "b"}})
	b := New(&choppingConn{Conn: cb, rng: rand.New(rand.NewPCG(2, 2))}, &Config{Peer: &channel.Peer{Name: "a"}})
	rng := rand.New(rand.NewPCG(3, 3))
	var sizes []int
	for range 300 {
		sizes = append(sizes, rng.IntN(1<<rng.IntN(18)))
	}
	sent := make(chan error, 1)
	go func() {
		for i, n := range sizes {
			body := make([]byte, n)
			for j := range body {
				body[j] = byte(i + j)
			}
			if err := a.Send(ctx, "x", channel.Raw, body); err != nil {
				sent <- err
				return
			}
		}
		sent <- a.Flush(ctx)
	}()
	for i, n := range sizes {
		m, err := b.Receive(ctx)
		require.NoError(t, err)
		require.Len(t, m.Body, n)
		for j := range m.Body {
			if m.Body[j] != byte(i+j) {
				t.Fatalf("message %d differs at byte %d", i, j)
			}
		}
	}
	require.NoError(t, <-sent)
	require.NoError(t, a.Close(0, ""))
	<-b.Done()
	require.IsType(t, new(channel.CloseError), context.Cause(b.Context()))
	a.Wait()
	b.Wait()
}
