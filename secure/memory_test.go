package secure

import (
	"crypto/mlkem"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/pysock/pysock/secure/internal/noise"
	"github.com/stretchr/testify/require"
)

// baseline is what the process uses when all that can be collected is.
func baseline() int {
	runtime.GC()
	runtime.GC() // the second empties the pools
	return memory()
}

// memory is what the process uses: heap that is live, and stacks as they are
// before the collector shrinks them.
func memory() int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int(before.StackInuse + after.HeapAlloc)
}

// waiting is a conn that gives b and then blocks until it is released.
type waiting struct {
	script
	arrived chan<- struct{}
	release <-chan struct{}
}

func (w *waiting) Read(p []byte) (int, error) {
	if len(w.b) > 0 {
		return w.script.Read(p)
	}
	w.arrived <- struct{}{}
	<-w.release
	return 0, io.EOF
}

// perConn starts n goroutines that run f on a conn that gives b, waits until
// all block, and returns the bytes that each costs.
func perConn(t *testing.T, b []byte, f func(net.Conn)) int {
	const n = 150
	arrived, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	conns := make([]*waiting, n)
	for i := range conns {
		conns[i] = &waiting{arrived: arrived, release: release}
		conns[i].b = b
	}
	// A collection on the way would shrink the stacks of some and leave the old
	// ones of others uncounted or counted twice.
	before := baseline()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, c := range conns {
		go func() { f(c); done <- struct{}{} }()
		<-arrived
	}
	cost := (memory() - before) / n
	close(release)
	for range n {
		<-done
	}
	t.Logf("%d bytes each", cost)
	return cost
}

// A connection that has not proven a key costs at most 8 KiB while it waits,
// stack included, before message 1 and after message 2.
//
// The expensive step costs 26 to 28 KiB at its peak, more than the 20 KiB of
// DESIGN: crypto/mlkem alone needs a 16 KiB stack (they come in powers of two)
// and holds 6 KiB for a key. What bounds the sum is the Gate; a connection
// that waits for its turn there is still a waiting one.
func TestHandshakeMemory(t *testing.T) {
	ci, cr := configs(t)
	accept := func(c net.Conn) { Accept(t.Context(), c, cr) }
	opening, _ := talk(func(c net.Conn) error { _, err := Initiate(t.Context(), c, ci); return err }, nil)

	require.Less(t, perConn(t, nil, accept), 8<<10, "waiting for message 1")
	require.Less(t, perConn(t, opening, accept), 8<<10, "waiting for message 3")

	// The step itself stands still where it holds most: the stack has grown for
	// the encapsulation, and the key that it was for is still there.
	step := func(c net.Conn) {
		stop := *cr
		stop.fixed = &noise.Fixed{Encapsulate: func(ek *mlkem.EncapsulationKey768) (shared, ciphertext []byte) {
			shared, ciphertext = ek.Encapsulate()
			c.Read(nil)
			runtime.KeepAlive(ek)
			return shared, ciphertext
		}}
		preamble, msg1, _ := readMessage1(c)
		answer(t.Context(), c, &stop, preamble, msg1)
	}
	require.Less(t, perConn(t, opening, step), 32<<10, "in the expensive step")
}

// An idle session holds no buffer. What is left is small.
func TestIdleMemory(t *testing.T) {
	var conns []*Conn
	before := baseline()
	const n = 100
	for range n {
		res, _ := results(t)
		c := established(&waiting{}, newKey(t).Public(), newKey(t).Public(), res, false)
		conns = append(conns, c)
	}
	cost := (memory() - before) / n
	runtime.KeepAlive(conns)
	t.Logf("%d bytes each", cost)
	require.Less(t, cost, 2<<10)
}
