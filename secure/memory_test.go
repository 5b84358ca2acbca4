package secure

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"testing"

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
	const n = 300
	arrived, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	conns := make([]*waiting, n)
	for i := range conns {
		conns[i] = &waiting{arrived: arrived, release: release}
		conns[i].b = b
	}
	before := baseline()
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
// stack included, before message 1 and after message 2. In the expensive step
// at most 20 KiB stay in use; how many are in it is bounded by a Gate.
func TestHandshakeMemory(t *testing.T) {
	ci, cr := configs(t)
	accept := func(c net.Conn) { Accept(t.Context(), c, cr) }
	opening, _ := talk(func(c net.Conn) error { _, err := Initiate(t.Context(), c, ci); return err }, nil)

	require.Less(t, perConn(t, nil, accept), 8<<10, "waiting for message 1")
	require.Less(t, perConn(t, opening, accept), 8<<10, "waiting for message 3")

	// The step itself: it stands still with its stack grown and its result there.
	step := func(c net.Conn) {
		var g *Gate
		g.run(t.Context(), func() error {
			preamble, msg1, _ := readMessage1(c)
			hs, _ := cr.noise(false, preamble)
			hs.ReadMessage(nil, msg1)
			out, _ := frame(nil, func(b []byte) ([]byte, error) { return hs.WriteMessage(b, nil) })
			c.Read(nil)
			runtime.KeepAlive(hs)
			runtime.KeepAlive(out)
			return nil
		})
	}
	require.Less(t, perConn(t, opening, step), 20<<10, "in the expensive step")
}

// An idle session holds no buffer. What is left is small.
func TestIdleMemory(t *testing.T) {
	res, _ := results(t)
	var conns []*Conn
	before := baseline()
	const n = 300
	for range n {
		c := established(&waiting{}, newKey(t).Public(), newKey(t).Public(), res, false)
		conns = append(conns, c)
	}
	cost := (memory() - before) / n
	runtime.KeepAlive(conns)
	t.Logf("%d bytes each", cost)
	require.Less(t, cost, 2<<10)
}

// On a socket that has nothing to read, a waiting Read holds no buffer; a part
// of a record is kept in a small one.
func TestReadWaitsWithoutBuffer(t *testing.T) {
	i, r := connectOver(t, tcpPair)
	got := make(chan []byte, 1)
	read := func() {
		buf := make([]byte, 5000)
		n, _ := r.Read(buf)
		got <- buf[:n]
	}
	for _, size := range []int{10, 5000} {
		go read()
		want := bytes.Repeat([]byte{1}, size)
		_, err := i.Write(want)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, <-got))
		require.Nil(t, r.in.big)
		require.Nil(t, r.in.buf)
	}
	if r.in.raw == nil {
		return // no raw reads on this system
	}
	rec, err := seal(i.out.keys, recordData, append(make([]byte, HeadRoom, 100), "in two parts"...))
	require.NoError(t, err)
	_, err = i.conn.Write(rec[:7])
	require.NoError(t, err)
	go read()
	// The reader has the first part when the socket has been emptied; only then
	// is it certain that the second comes on its own.
	_, err = i.conn.Write(rec[7:])
	require.NoError(t, err)
	require.Equal(t, "in two parts", string(<-got))
	require.Nil(t, r.in.big)
}
