package link

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wire"
)

// TestCreditMemory fills channels with messages that nobody takes, of the sizes that take the most
// memory for their credit, and also with as much as possible of what costs little or none.
func TestCreditMemory(t *testing.T) {
	const channels = 16
	inUse := func() int64 {
		runtime.GC()
		runtime.GC() // what pools hold is gone after the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	fill := func(id uint32, size int, more bool) []byte {
		var b []byte
		for credit := flow.Guaranteed; credit > wire.MessageOverhead+size; credit -= wire.MessageOverhead + size {
			if more {
				b = wire.AppendGap(b, id, 1)
			}
			b = append(b, msgFrames(id, size)...)
			if more {
				b = wire.AppendSkip(b, id, 1)
				credit--
			}
		}
		return b
	}
	for _, handled := range []bool{true, false} {
		for _, more := range []bool{false, true} {
			for _, size := range []int{0, 1, 17, 65, 129, 257, 513, 1025} {
				t.Run(fmt.Sprintf("handled %v, more %v, size %d", handled, more, size), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var mux channel.Mux
						if handled {
							for i := range channels {
								mux.Handle(fmt.Sprint("c", i+1), block)
							}
						}
						l, r := against(t, &Config{Mux: &mux})
						if !handled {
							l.Pull()
						}
						l.Run()
						before := inUse()
						for id := range uint32(channels) {
							r.write(chFrame(id+1, fmt.Sprint("c", id+1)), fill(id+1, size, more))
							r.read()
						}
						require.LessOrEqual(t, inUse()-before, int64(CreditMemory*channels*flow.Guaranteed))
						require.NoError(t, l.Context().Err())
					})
				})
			}
		}
	}
}
