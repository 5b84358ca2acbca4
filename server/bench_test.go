package server_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

// The benchmarks run clients and server in one process, over TCP on loopback, with all encryption.
// So their CPU is that of all sides together: what a server alone needs is measured by bench/.

// BenchmarkIngest sends messages that the server's handler counts.
func BenchmarkIngest(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := testworld.New(b, []string{"alice"}, func(s *server.Server) {
				s.Handler = new(channel.Mux)
				s.Handler.Handle("test", func(context.Context, channel.Conn, *channel.Message) error { return nil })
			})
			stream(b, w.Dial("alice", nil), size)
		})
	}
}

// BenchmarkPipe sends messages from client to client through a pipe.
func BenchmarkPipe(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := testworld.New(b, []string{"alice", "bob"}, nil)
			alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
			bob.Handle("test", func(context.Context, channel.Conn, *channel.Message) error { return nil })
			go bob.Run(b.Context())
			p, err := alice.OpenPipe(b.Context(), "bob")
			require.NoError(b, err)
			stream(b, p, size)
		})
	}
}

func stream(b *testing.B, to channel.Conn, size int) {
	body := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, to.Send(b.Context(), "test", body))
	}
	require.NoError(b, to.Flush(b.Context()))
}

// BenchmarkEcho asks the server and waits for the answer.
func BenchmarkEcho(b *testing.B) {
	w := testworld.New(b, []string{"alice"}, withEcho)
	c := w.Dial("alice", nil)
	body := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.Request(b.Context(), "test", body)
		require.NoError(b, err)
	}
}

// BenchmarkBroadcast sends a message to 100 clients; its time is for one of them.
func BenchmarkBroadcast(b *testing.B) {
	const n = 100
	w := testworld.New(b, []string{"alice"}, func(s *server.Server) { s.Keys.Open = true })
	for i := range n {
		name := fmt.Sprint("m", i)
		w.Files[name] = testworld.NewKey(b, name)
		w.Files[name].Server = w.Files["alice"].Server
		c := w.Dial(name, nil)
		c.Handle("test", func(context.Context, channel.Conn, *channel.Message) error { return nil })
		go c.Run(b.Context())
	}
	body := make([]byte, 64)
	b.ReportAllocs()
	sent := 0
	for b.Loop() {
		report, err := w.Server.Broadcast(b.Context(), "test", body)
		require.NoError(b, err)
		require.Equal(b, n, report.Reached)
		sent++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sent*n), "ns/delivery")
}

// BenchmarkDial is a whole handshake of both sides, and the session's beginning and end.
func BenchmarkDial(b *testing.B) {
	w := testworld.New(b, []string{"alice"}, nil)
	cfg := &client.Config{Keys: w.Files["alice"], Transient: true}
	b.ReportAllocs()
	for b.Loop() {
		c, err := client.Dial(b.Context(), "", cfg)
		require.NoError(b, err)
		require.NoError(b, c.Close())
	}
}

// BenchmarkIdleSession connects clients that then do nothing, and reports what memory both sides
// hold for each: heap in use and goroutine stacks. Sockets' memory in the kernel is not in it.
func BenchmarkIdleSession(b *testing.B) {
	w := testworld.New(b, []string{"alice"}, func(s *server.Server) { s.Limits.MaxTransient = 1 << 20 })
	cfg := &client.Config{Keys: w.Files["alice"], Transient: true}
	held := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := held()
	var clients []*client.Client
	for b.Loop() {
		c, err := client.Dial(b.Context(), "", cfg)
		require.NoError(b, err)
		clients = append(clients, c)
	}
	b.ReportMetric(float64(held()-before)/float64(len(clients)), "B/session")
	for _, c := range clients {
		c.Close()
	}
}
