package client_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// thief has the key files of both sides and is in the network between them. It passes on what it
// gets: each side's hello, verdict and records.
type thief struct {
	client, server *keys.PrivateKey
	up             func(ctx context.Context, network, address string) (net.Conn, error)

	mu   sync.Mutex
	seen []byte // of the records' content
}

func (th *thief) dial(ctx context.Context, network, address string) (net.Conn, error) {
	up, err := th.up(ctx, network, address)
	if err != nil {
		return nil, err
	}
	near, far := memnet.Pipe(memnet.Config{})
	go th.join(far, up) // ends when either side ends its connection
	return near, nil
}

func (th *thief) join(down, up net.Conn) {
	defer down.Close()
	defer up.Close()
	pending, err := secure.Accept(context.Background(), down, &secure.Config{Key: th.server})
	if err != nil {
		return
	}
	toServer, err := secure.Initiate(context.Background(), up, &secure.Config{
		Key: th.client, Hello: pending.Hello(), VerifyPeer: func(keys.PublicKey) error { return nil },
	})
	var refused *secure.RefusedError
	if errors.As(err, &refused) {
		_ = pending.Refuse(context.Background(), refused.Code, refused.Text)
		return
	}
	if err != nil {
		return
	}
	toClient, err := pending.Welcome(context.Background(), toServer.Welcome())
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { th.pass(toServer, toClient) })
	both.Go(func() { th.pass(toClient, toServer) })
	both.Wait()
}

func (th *thief) pass(from, to *secure.Conn) {
	defer to.Close()
	for {
		b, err := from.ReadRecord()
		if err != nil {
			return
		}
		th.mu.Lock()
		th.seen = append(th.seen, b...)
		th.mu.Unlock()
		if _, err := to.Write(b); err != nil {
			return
		}
	}
}

// TestThiefInTheMiddle lets somebody who has both private keys pass on the proofs of a client and a
// server who go on with a session that began without them. With the keys they get a session of
// their own, which the client is told of, and nothing of what was under way.
func TestThiefInTheMiddle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		taken := make(chan string, 10)
		w := newWorld(t, func(s *server.Server) {
			s.Handler.Handle("up", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
				taken <- string(m.Body)
				return nil
			})
		}, "alice")
		th := &thief{client: w.files["alice"].Private, server: w.own.Private, up: w.net.dial}
		var there atomic.Bool
		alice := w.dial("alice", func(c *client.Config) {
			c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if there.Load() {
					return th.dial(ctx, network, address)
				}
				return w.net.dial(ctx, network, address)
			}
		})
		require.NoError(t, alice.SendAcked(t.Context(), "up", []byte("before")))
		there.Store(true)
		w.net.fail(true)
		await(t, alice, phase(client.Resuming))
		require.NoError(t, alice.Send(t.Context(), "up", []byte("under way")))
		w.net.fail(false)
		await(t, alice, session(2))
		require.Zero(t, w.srv.Stats().Resumed)
		require.EqualValues(t, 1, w.srv.Stats().ResumesRefused)

		err := alice.Send(t.Context(), "up", []byte("after"))
		var gap *channel.GapError
		require.ErrorAs(t, err, &gap)
		require.Equal(t, []channel.ChannelGap{{Channel: "up", Sent: 2, Taken: 1, Lost: 1}}, gap.Channels)
		require.NoError(t, alice.SendAcked(t.Context(), "up", []byte("after")))
		require.Equal(t, "before", <-taken)
		require.Equal(t, "after", <-taken)
		th.mu.Lock()
		defer th.mu.Unlock()
		require.Contains(t, string(th.seen), "after", "that is what the keys are good for")
		require.NotContains(t, string(th.seen), "under way")
	})
}
