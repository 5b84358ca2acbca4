package resume

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

// TestSlow: a connection on which a record takes longer than silence may is a good one, for who
// reads and for who writes, whatever waits in the network.
func TestSlow(t *testing.T) {
	const total = 260000
	for name, buffer := range map[string]int{"small buffer": 1000, "large buffer": 1 << 20} {
		for name2, size := range map[string]int{"large records": 65000, "small records": 4000} {
			for name3, both := range map[string]bool{"one way": false, "both ways": true} {
				t.Run(name+", "+name2+", "+name3, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						_, _, a, b := watchedPair(t, memnet.Config{Chunk: 1000, Drip: time.Second, Buffer: buffer})
						write := func(c *Conn) {
							for range total / size {
								require.NoError(t, writeRecord(c, modelTable[:size]))
							}
						}
						go write(a.Conn)
						if both {
							go write(b.Conn)
						}
						<-time.After(2 * total / 1000 * time.Second)
						require.Empty(t, a.lost)
						require.Empty(t, b.lost)
						require.Zero(t, keeps(a.Conn)+keeps(b.Conn), "all has arrived")
					})
				})
			}
		}
	}
}

// TestSlowThenDead: a connection that dies in the middle of a slow record is found as soon as any.
func TestSlowThenDead(t *testing.T) {
	for after := time.Second; after < 50*time.Second; after += 3 * time.Second {
		synctest.Test(t, func(t *testing.T) {
			_, y, a, b := watchedPair(t, memnet.Config{Chunk: 1000, Drip: time.Second, Buffer: 1 << 20})
			require.NoError(t, writeRecord(a.Conn, modelTable[:65000]))
			<-time.After(after)
			y.Stall()
			begin := time.Now()
			require.Equal(t, ErrSilent, <-b.lost)
			require.LessOrEqual(t, time.Since(begin), DefaultIdle+DefaultTimeout)
			require.GreaterOrEqual(t, time.Since(begin), DefaultTimeout-time.Second, "the last drop is as old")
		})
	}
}
