package resume

import (
	"net"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/pysock/pysock/internal/memnet"
)

func TestNetConn(t *testing.T) {
	for name, cfg := range map[string]memnet.Config{
		"plain":  {},
		"small":  {Buffer: 1000},
		"chunks": {Seed: 1, Chunk: 5000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				// One test writes 1 MiB on a side that never reads, and so hears of no acknowledgement.
				a, b := pair(t, cfg, &Config{Buffer: 2 << 20}, &Config{Buffer: 2 << 20})
				return orderly{a}, orderly{b}, func() { a.Fail(nil); b.Fail(nil) }, nil
			})
		})
	}
}

// orderly takes more time to close than a Conn does, as long as somebody reads.
type orderly struct{ *Conn }

func (o orderly) Close() error {
	o.mu.Lock()
	handed, until := o.out.handed, time.Now().Add(closeGrace)
	for end := o.out.kept.end; o.lower != nil && o.out.handed < end && !passed(until); { // somebody may go on to write
		o.wait(until)
		if handed < o.out.handed {
			handed, until = o.out.handed, time.Now().Add(10*closeGrace)
		}
	}
	o.mu.Unlock()
	return o.Conn.Close()
}
