package resume

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

// held is a Lower whose writes wait until they are let go, even when it is closed.
type held struct {
	*plain
	writing, release chan struct{}
	wrote            []byte
}

func (h *held) WriteRecordFrom(b []byte) (int, error) {
	h.writing <- struct{}{}
	<-h.release
	h.wrote = bytes.Clone(b[plainBefore:])
	return 0, memnet.ErrReset
}

func (h *held) CloseNow() error { return nil }

// TestLentWhileWritten: what a write to an old connection still reads is nobody else's, though the
// other side has acknowledged it over the next connection.
func TestLentWhileWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, _ := lowers(memnet.Config{})
		old := &held{plain: x, writing: make(chan struct{}), release: make(chan struct{})}
		c := New(old, nil)
		defer c.Fail(nil)
		lent := c.Lend()
		const size = adoptFrom
		content := modelTable[:size]
		copy((*lent)[c.before:], content)
		done := make(chan error)
		go func() { done <- c.WriteLent(lent, c.before+size) }()
		<-old.writing

		f := attach(t, c.Handover(), size) // all of it has arrived
		require.Zero(t, keeps(c))
		for range 100 { // whatever is lent now must not be that buffer
			b := c.Lend()
			require.NotSame(t, lent, b)
			clear(*b)
		}
		close(old.release)
		require.NoError(t, <-done)
		require.True(t, bytes.Equal(content, old.wrote[len(old.wrote)-size:]))

		require.NoError(t, writeRecord(c, []byte("next")))
		_, stream := f.next()
		require.Equal(t, "next", string(stream))
	})
}

// TestLentIsSentAgain: what was kept without a copy goes over the next connection as it was.
func TestLentIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := hand(t, nil)
		const n = adoptFrom + 1 // an odd number, see writeRecord
		for i := range 3 {
			require.NoError(t, writeRecord(c, modelTable[i*n:(i+1)*n]))
		}
		f.collect(3 * n)
		require.Equal(t, 3*maxSegment, keeps(c))
		f = attach(t, c.Handover(), n-100)
		require.True(t, bytes.Equal(modelTable[n-100:n+900], f.collect(1000)[:1000]))
	})
}

func TestWriteLentSizes(t *testing.T) {
	c, f := hand(t, nil)
	before, after := c.RecordRoom()
	for _, n := range []int{0, before, maxSegment - after + 1} {
		require.Equal(t, errSize, c.WriteLent(c.Lend(), n))
	}
	most := maxSegment - after - before
	for _, n := range []int{1, adoptFrom - 1, adoptFrom, most} {
		lent := c.Lend()
		copy((*lent)[before:], modelTable[:n])
		require.NoError(t, c.WriteLent(lent, before+n))
		require.True(t, bytes.Equal(modelTable[:n], f.collect(n)))
	}
}
