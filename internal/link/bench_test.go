package link

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// overBoth runs a benchmark over a connection in memory and over TCP.
func overBoth(b *testing.B, run func(b *testing.B, conns func() (net.Conn, net.Conn))) {
	b.Run("memory", func(b *testing.B) {
		run(b, func() (net.Conn, net.Conn) { return memnet.Pipe(memnet.Config{Buffer: 256 << 10}) })
	})
	b.Run("tcp", func(b *testing.B) {
		run(b, func() (net.Conn, net.Conn) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			x, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			y, err := ln.Accept()
			if err != nil {
				b.Fatal(err)
			}
			return x, y
		})
	})
}

func benchLink(b *testing.B, conn net.Conn, cfg *Config) *Link {
	cfg.Peer = &channel.Peer{Name: "peer"}
	l := New(conn, cfg)
	b.Cleanup(func() {
		l.Cut(channel.ErrClosed)
		l.Wait()
	})
	return l
}

func benchSend(b *testing.B, size int) {
	overBoth(b, func(b *testing.B, conns func() (net.Conn, net.Conn)) {
		var mux channel.Mux
		mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error { return nil })
		x, y := conns()
		l := benchLink(b, x, &Config{Initiator: true})
		benchLink(b, y, &Config{Mux: &mux}).Run()
		body, ctx := make([]byte, size), context.Background()
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			if err := l.Send(ctx, "x", channel.Raw, body); err != nil {
				b.Fatal(err)
			}
		}
		if err := l.Flush(ctx); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkSend64(b *testing.B)  { benchSend(b, 64) }
func BenchmarkSend64K(b *testing.B) { benchSend(b, 64<<10) }

// BenchmarkIngest64 is what a receiver pays for a message without the network: from the bytes of a
// batch to the handler's return.
func BenchmarkIngest64(b *testing.B) {
	const batch = 700
	var mux channel.Mux
	handled, done := 0, make(chan struct{}, 1)
	mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error {
		if handled++; handled%batch == 0 {
			done <- struct{}{}
		}
		return nil
	})
	conn, _ := memnet.Pipe(memnet.Config{})
	l := benchLink(b, conn, &Config{Mux: &mux})
	l.Run()
	if _, err := l.frames(chFrame(1, "x")); err != nil {
		b.Fatal(err)
	}
	l.in[0].allowed.Store(1 << 60)
	l.in[0].ordinary.Store(1 << 60)
	l.in[0].reportAt.Store(1 << 60)
	l.reporting.Store(true) // or a timer would tell the sender, and with that take back what it was allowed
	frames := repeat(batch, func(uint32) []byte { return msgFrames(1, 64) })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.frames(frames); err != nil {
			b.Fatal(err)
		}
		<-done
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/message")
}

func BenchmarkRoundTrip(b *testing.B) {
	overBoth(b, func(b *testing.B, conns func() (net.Conn, net.Conn)) {
		var mux channel.Mux
		mux.Handle("x", func(ctx context.Context, _ channel.Conn, m *channel.Message) error { return m.Reply(ctx, m.Body) })
		x, y := conns()
		l := benchLink(b, x, &Config{Initiator: true})
		benchLink(b, y, &Config{Mux: &mux}).Run()
		body, ctx := make([]byte, 64), context.Background()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.Request(ctx, "x", channel.Raw, body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchRelay carries DATA frames of a size from one client to another. The clients are links too:
// their cost is in the figure.
func benchRelay(b *testing.B, size int) {
	overBoth(b, func(b *testing.B, conns func() (net.Conn, net.Conn)) {
		ac, as := conns()
		bc, bs := conns()
		pipes := make(chan *Stream, 1)
		a := benchLink(b, ac, &Config{Initiator: true})
		benchLink(b, bc, &Config{Initiator: true, OpenPipe: func(s *Stream, _ wire.PipeOpen) {
			s.Accept()
			pipes <- s
		}})
		to := benchLink(b, bs, &Config{})
		benchLink(b, as, &Config{OpenPipe: func(s *Stream, open wire.PipeOpen) {
			if err := Relay(s, to, open, 512<<10, RelayEvents{Here: func() {}, There: func() {}}); err != nil {
				panic(err)
			}
		}})
		s, err := a.OpenPipe(wire.PipeOpen{Opener: "a", Target: "b"})
		if err != nil {
			b.Fatal(err)
		}
		p := <-pipes
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, p, make([]byte, 64<<10)) })
		body := make([]byte, size)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Write(body); err != nil {
				b.Fatal(err)
			}
		}
		_ = s.CloseWrite()
		wg.Wait()
	})
}

// BenchmarkRelayOnly64 is what a server pays for a relayed DATA frame of 64 bytes without the
// network: from the bytes of a batch to those of the next write.
func BenchmarkRelayOnly64(b *testing.B) {
	const batch = 700
	from, _ := memnet.Pipe(memnet.Config{})
	conn, _ := memnet.Pipe(memnet.Config{})
	to := benchLink(b, conn, &Config{})
	to.writing = true // the benchmark is the writer
	l := benchLink(b, from, &Config{OpenPipe: func(s *Stream, open wire.PipeOpen) {
		if err := Relay(s, to, open, 512<<10, RelayEvents{Here: func() {}, There: func() {}}); err != nil {
			panic(err)
		}
	}})
	if _, err := l.frames(pipeOpen.Append(nil, 1)); err != nil {
		b.Fatal(err)
	}
	e := l.streams[1].(*relayEnd)
	e.allowed.Store(1 << 60)
	frames, buf := data(1, 64), make([]byte, 0, maxBatch)
	frames = repeat(batch, func(uint32) []byte { return frames })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.frames(frames); err != nil {
			b.Fatal(err)
		}
		for to.sched.queued > 0 {
			to.mu.Lock()
			to.pace.Read = to.pace.Sent
			to.nextBatch(buf[:0], &to.relayedOut)
			to.mu.Unlock()
			to.relayedOut.tell(false)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/frame")
}

func BenchmarkRelay64(b *testing.B)  { benchRelay(b, 64) }
func BenchmarkRelay64K(b *testing.B) { benchRelay(b, 64<<10) }

// BenchmarkFrameDecode is what the reader does for a small message before anybody hears of it.
func BenchmarkFrameDecode(b *testing.B) {
	l := &Link{cfg: (&Config{}).withDefaults()}
	frames := repeat(1000, func(uint32) []byte { return empty(wire.TypePing, 1) })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.frames(frames); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/frame")
}
