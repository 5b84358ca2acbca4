package resume

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

// late is a connection whose reads fail with an error that is os.ErrDeadlineExceeded, whatever the
// deadline: such as a stream of another connection that was lost because its other side was silent.
type late struct {
	*plain
	reads  int
	before func() // of each read that fails; nil for nothing
}

func (l *late) ReadRecord() ([]byte, error) {
	if l.reads++; l.reads > 10 {
		panic("it is read again and again")
	}
	if l.before != nil {
		l.before()
	}
	return nil, fmt.Errorf("the stream below has ended: %w", os.ErrDeadlineExceeded)
}

// TestDeadlineOfSomebodyElse: an error that no deadline of ours explains is not passing, but the
// end of the connection. There may be a deadline that has not come yet.
func TestDeadlineOfSomebodyElse(t *testing.T) {
	for name, by := range map[string]time.Duration{"no deadline": 0, "a deadline": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := lowers(memnet.Config{})
				defer y.CloseNow()
				lost := make(chan error, 1)
				l := &late{plain: x}
				c := New(l, &Config{Lost: func(err error) { lost <- err }})
				if by > 0 {
					require.NoError(t, c.SetReadDeadline(time.Now().Add(by)))
				}
				read := make(chan error, 1)
				go func() { _, err := c.ReadRecord(); read <- err }()
				require.ErrorIs(t, <-lost, os.ErrDeadlineExceeded)
				require.Equal(t, 1, l.reads)
				_, away := c.Away()
				require.True(t, away)
				require.Empty(t, read, "the stream goes on")

				a, b := lowers(memnet.Config{})
				require.NoError(t, c.Handover().Attach(a, 0))
				(&far{t, b}).send(header{}, "next")
				require.NoError(t, <-read)
				c.Fail(nil)
			})
		})
	}
}

// TestDeadlineMoved: a deadline that has expired is none of the connection's faults when it is not there any more.
func TestDeadlineMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := lowers(memnet.Config{})
		defer y.CloseNow()
		l := &late{plain: x}
		var c *Conn
		l.before = func() {
			switch l.reads {
			case 1:
				require.NoError(t, c.SetReadDeadline(time.Time{}))
			case 2:
				require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Hour)))
			case 3:
				require.NoError(t, c.SetReadDeadline(time.Now()))
			}
		}
		c = New(l, &Config{Lost: func(err error) { t.Error("it is lost: ", err) }})
		defer c.Fail(nil)
		_, err := c.ReadRecord()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 3, l.reads)
		synctest.Wait()
	})
}

// TestDropOld gives up a connection that is too old, or has carried too much, and no other.
func TestDropOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan error, 1)
		a, b := pair(t, memnet.Config{}, &Config{Lost: func(err error) { lost <- err }}, nil)
		go b.ReadRecord()
		require.NoError(t, writeRecord(a, make([]byte, 1000)))
		<-time.After(time.Minute)
		require.False(t, a.DropOld(time.Minute+1, 1<<20))
		require.True(t, a.DropOld(time.Minute, 1<<20))
		require.Equal(t, errOld, <-lost)
		_, away := a.Away()
		require.True(t, away)
		require.False(t, a.DropOld(0, 0), "there is none")

		reconnect(t, memnet.Config{}, a, b)
		require.False(t, a.DropOld(time.Minute, 500), "another is there")
		require.NoError(t, writeRecord(a, make([]byte, 1000)))
		require.True(t, a.DropOld(time.Minute, 500))
		<-lost
		a.Fail(nil)
		require.False(t, a.DropOld(0, 0))
	})
}
