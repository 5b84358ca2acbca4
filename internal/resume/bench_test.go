package resume

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// slots is a Lower that hands records on in memory, with one copy and without allocating.
type slots struct {
	net.Conn
	in, out   chan []byte // records under way
	back, due chan []byte // empty buffers: to take for out, to give back from in
	last      []byte
	closed    chan struct{}
}

func newSlots() (a, b *slots) {
	ab, ba := make(chan []byte, 8), make(chan []byte, 8)
	freeAB, freeBA := make(chan []byte, 9), make(chan []byte, 9)
	for range 8 {
		freeAB <- make([]byte, MaxContent)
		freeBA <- make([]byte, MaxContent)
	}
	x, y := net.Pipe()
	return &slots{Conn: x, in: ba, out: ab, back: freeAB, due: freeBA, closed: make(chan struct{})},
		&slots{Conn: y, in: ab, out: ba, back: freeBA, due: freeAB, closed: make(chan struct{})}
}

func (s *slots) RecordRoom() (before, after int) { return plainBefore, plainAfter }

func (s *slots) ReadRecord() ([]byte, error) {
	if s.last != nil {
		s.due <- s.last[:MaxContent]
	}
	select {
	case s.last = <-s.in:
		return s.last, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *slots) WriteRecord(b []byte) (int, error) {
	to := <-s.back
	n := copy(to, b[plainBefore:])
	s.out <- to[:n]
	return n, nil
}

func (s *slots) WriteRecordFrom(b []byte) (int, error) { return s.WriteRecord(b) }

func (s *slots) CloseWrite() error { return nil }
func (s *slots) CloseNow() error   { close(s.closed); return s.Close() }

// secureTCP is what a Conn really runs over.
func secureTCP(tb testing.TB) (a, b Lower) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer ln.Close()
	x, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(tb, err)
	y, err := ln.Accept()
	require.NoError(tb, err)
	a, b, err = secured(tb, x, y)
	require.NoError(tb, err)
	return a, b
}

type recorder interface {
	ReadRecord() ([]byte, error)
	WriteRecord(b []byte) (int, error)
	RecordRoom() (before, after int)
}

// benchRecords sends records of a size. The other side sends a small one for each 32 KiB, as a
// link does with PROGRESS.
func benchRecords(b *testing.B, x, y recorder, size int, stop func()) {
	const small, interval = 12, 32 << 10
	before, after := x.RecordRoom()
	buf := make([]byte, before+size, before+size+after)
	write := func() error { return second(x.WriteRecord(buf)) }
	if c, ok := x.(*Conn); ok { // as a link does
		write = func() error { return c.WriteLent(c.Lend(), len(buf)) }
	}
	reply := make([]byte, before+small, before+small+after)
	var readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() {
		defer close(done)
		for unanswered, left := 0, b.N*size; left > 0; {
			r, err := y.ReadRecord()
			if err != nil {
				b.Error(err)
				return
			}
			left -= len(r)
			if unanswered += len(r); unanswered >= interval {
				unanswered = 0
				if _, err := y.WriteRecord(reply); err != nil {
					b.Error(err)
					return
				}
			}
		}
	})
	readers.Go(func() {
		for {
			if _, err := x.ReadRecord(); err != nil {
				return
			}
		}
	})
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := write(); err != nil {
			b.Fatal(err)
		}
	}
	<-done
	b.StopTimer()
	stop()
	readers.Wait()
}

func BenchmarkRecords(b *testing.B) {
	for _, size := range []int{64, 16 << 10, MaxContent - 32} { // the last is what a link writes at once
		for below, make := range map[string]func(testing.TB) (x, y Lower){
			"memory": func(testing.TB) (x, y Lower) { return newSlots() },
			"secure": secureTCP,
		} {
			b.Run(fmt.Sprintf("%s/%d/bare", below, size), func(b *testing.B) {
				x, y := make(b)
				benchRecords(b, x, y, size, func() { x.CloseNow(); y.CloseNow() })
			})
			b.Run(fmt.Sprintf("%s/%d/resume", below, size), func(b *testing.B) {
				x, y := make(b)
				cx, cy := New(x, nil), New(y, nil)
				benchRecords(b, cx, cy, size, func() { cx.Fail(nil); cy.Fail(nil) })
			})
		}
	}
}
