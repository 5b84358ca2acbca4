package secure

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/pysock/pysock/secure/internal/noise"
	"github.com/stretchr/testify/require"
)

var benchSizes = []int{64, 1 << 10, 16 << 10, MaxContent}

// devNull takes all writes.
type devNull struct{ net.Conn }

func (devNull) Write(p []byte) (int, error) { return len(p), nil }

// sender is a Conn that only writes.
func sender(t testing.TB, conn net.Conn) *Conn {
	c := &Conn{conn: conn}
	c.out.conn, c.out.keys = conn, newSession(t).send
	return c
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := sender(b, devNull{})
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				c.Write(p)
			}
		})
		b.Run(fmt.Sprintf("%d/in-place", size), func(b *testing.B) {
			c := sender(b, devNull{})
			p := make([]byte, HeadRoom+size, HeadRoom+size+TailRoom)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				c.WriteRecord(p)
			}
		})
	}
}

// loop gives the same bytes for ever.
type loop struct {
	net.Conn
	b     []byte
	off   int
	again func()
}

func (l *loop) Read(p []byte) (int, error) {
	if l.off == len(l.b) {
		l.off = 0
		l.again()
	}
	n := copy(p, l.b[l.off:])
	l.off += n
	return n, nil
}

// benchReader reads the same records over and over: at the end of them, which
// a Read never crosses, the key starts anew.
func benchReader(t testing.TB, size int) *reader {
	s := newSession(t)
	l := &loop{}
	for range max(2, (1<<20)/size) {
		l.b = append(l.b, s.records(t, make([]byte, size))...)
	}
	l.off = len(l.b)
	in := s.reader(l)
	l.again = func() { in.keys = noise.NewCipherState(s.key) }
	return in
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			in := benchReader(b, size)
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for n := 0; n < size; {
					k, err := in.read(p[n:])
					if err != nil {
						b.Fatal(err)
					}
					n += k
				}
			}
		})
		b.Run(fmt.Sprintf("%d/in-place", size), func(b *testing.B) {
			in := benchReader(b, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				in.record(true)
			}
		})
	}
}

// TCP over loopback, one direction, both ends in this process.
func BenchmarkTCP(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			i, r := connectOver(b, tcpPair)
			done := make(chan struct{})
			go func() {
				defer close(done)
				io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 1<<16))
			}()
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				i.Write(p)
			}
			i.CloseWrite()
			<-done
		})
	}
}

// Both sides of a handshake, over an in-memory pipe.
func BenchmarkHandshake(b *testing.B) {
	ci, cr := configs(b)
	b.ReportAllocs()
	for b.Loop() {
		x, y := net.Pipe()
		ch := initiateAsync(context.Background(), x, ci)
		r := <-acceptAsync(context.Background(), y, cr)
		require.NoError(b, r.err)
		require.NoError(b, (<-ch).err)
		x.Close()
		y.Close()
	}
}

// In steady state a record costs no allocation, on either side.
func TestNoAllocations(t *testing.T) {
	c := sender(t, devNull{})
	p := make([]byte, 1000)
	require.Zero(t, testing.AllocsPerRun(100, func() { c.Write(p) }))

	i, r := connectOver(t, tcpPair)
	n := testing.AllocsPerRun(100, func() {
		i.Write(p)
		io.ReadFull(r, p)
	})
	require.Less(t, n, 1.0)
}
