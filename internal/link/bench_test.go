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

// benchRelay carries DATA frames of a size from one client to another. The clients are links too: their cost is in the figure.
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
			if err := Relay(s, to, open, 512<<10, func() {}); err != nil {
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
