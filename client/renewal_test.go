package client_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/server"
)

// feed sends 500 kB a second on the channel "feed" until ctx ends; sent then gives how many bytes that were.
func feed(ctx context.Context, to *server.Session) (sent func() (int64, error)) {
	var n int64
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := to.Send(context.Background(), "feed", make([]byte, 10_000)); err != nil {
				done <- err
				return
			}
			n += 10_000
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		done <- nil
	}()
	return func() (int64, error) { err := <-done; return n, err }
}

// TestRenewalFails wants to renew a connection that works well, and cannot: what comes over it goes
// on coming, each second of a time in which several renewals fail, and more than the server keeps
// of what is not acknowledged. In the end one succeeds.
func TestRenewalFails(t *testing.T) {
	for name, cutAfter := range map[string]int64{"no answer": 0, "lost in message 3": 1300} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, nil, "alice")
				var bad atomic.Bool
				var tries atomic.Int64
				alice := w.dial("alice", func(c *client.Config) {
					c.RenewAfter = 5 * time.Second
					c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
						if !bad.Load() {
							return w.net.dial(ctx, network, address)
						}
						tries.Add(1)
						if cutAfter == 0 {
							nobody, _ := memnet.Pipe(memnet.Config{})
							return nobody, nil
						}
						return w.net.dial(ctx, network, address)
					}
				})
				bad.Store(true)
				w.net.kind = func(int) memnet.Config { return memnet.Config{CutAfter: cutAfter} }
				var got atomic.Int64
				go func() { // ends with the client
					for {
						m, err := alice.Receive(context.Background())
						if err != nil {
							return
						}
						got.Add(int64(len(m.Body)))
					}
				}()
				sess, _ := w.srv.Session("alice")
				ctx, cancel := context.WithCancel(t.Context())
				sent := feed(ctx, sess)
				for second := range 45 {
					before := got.Load()
					<-time.After(time.Second)
					require.Greater(t, got.Load()-before, int64(250_000), "second %d", second)
				}
				require.Greater(t, tries.Load(), int64(1))
				require.Zero(t, w.srv.Stats().Resumed)
				cancel()
				n, err := sent()
				require.NoError(t, err)

				bad.Store(false)
				w.net.heal()
				<-time.After(10 * time.Minute)
				require.NotZero(t, w.srv.Stats().Resumed)
				require.NoError(t, sess.Flush(t.Context()))
				require.Equal(t, n, got.Load())
				require.Equal(t, 1, alice.State().Session)
			})
		})
	}
}
