package durable

import (
	"context"
	"testing"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/memnet"
)

// BenchmarkSend64 is what a Conn adds to its link, and what keeping messages costs: compare with link's own.
func BenchmarkSend64(b *testing.B) {
	for name, resend := range map[string]bool{"at most once": false, "at least once": true} {
		b.Run(name, func(b *testing.B) {
			var mux channel.Mux
			mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error { return nil })
			here, there := memnet.Pipe(memnet.Config{Buffer: 256 << 10})
			c := New(&Config{Resend: resend})
			l := link.New(here, &link.Config{Initiator: true, Peer: &channel.Peer{}, Books: c.Books()})
			other := link.New(there, &link.Config{Peer: &channel.Peer{}, Mux: &mux})
			other.Run()
			if err := c.Attach(l); err != nil {
				b.Fatal(err)
			}
			body := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Send(background, "x", channel.Raw, body); err != nil {
					b.Fatal(err)
				}
			}
			_ = c.Close(0, "")
			c.Wait()
			other.Wait()
		})
	}
}
