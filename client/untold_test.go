package client_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

// killed is alice, who sends through the pipe that bob has opened, and bob, who is killed before he
// takes anything. His sessions end with their connections.
func killed(t *testing.T, delivery client.Delivery) (w *world, alice *client.Client) {
	ctx := t.Context()
	w = newWorld(t, func(s *server.Server) { s.Grace = -1 }, "alice", "bob")
	alice = w.dial("alice", func(c *client.Config) { c.Delivery = delivery })
	go alice.Run(ctx)
	bobs, forBob := w.apart()
	bob := w.dial("bob", forBob)
	q, err := bob.OpenPipe(ctx, "alice")
	require.NoError(t, err)
	_, err = q.Ping(ctx)
	require.NoError(t, err)
	synctest.Wait() // alice has taken it
	require.NoError(t, alice.SendTo(ctx, "bob", "up", numbered(0, 0)))
	m, err := q.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, numbered(0, 0), m.Body)
	require.Len(t, alice.Pipes(), 1)
	require.NoError(t, alice.Pipes()[0].Flush(ctx))
	for i := range 2 {
		require.NoError(t, alice.SendTo(ctx, "bob", "up", numbered(i+1, 0)))
	}
	bobs.fail(true)
	synctest.Wait()
	return w, alice
}

// TestSendToSomebodyRestarted loses what went through the pipe of a process that was killed:
// whatever is called next tells, once, and then things go on at once with the new process.
func TestSendToSomebodyRestarted(t *testing.T) {
	for name, tell := range map[string]func(t *testing.T, alice *client.Client) error{
		"send": func(t *testing.T, alice *client.Client) error {
			return alice.SendTo(t.Context(), "bob", "up", nil)
		},
		"pipe": func(t *testing.T, alice *client.Client) error {
			p, err := alice.PipeTo(t.Context(), "bob")
			require.NoError(t, err)
			_, err = p.Ping(t.Context())
			require.NoError(t, err) // it is one that works
			return p.Send(t.Context(), "up", nil)
		},
		"acked": func(t *testing.T, alice *client.Client) error {
			p, err := alice.PipeTo(t.Context(), "bob")
			require.NoError(t, err)
			return p.SendAcked(t.Context(), "up", nil)
		},
		"flush": func(t *testing.T, alice *client.Client) error {
			p, err := alice.PipeTo(t.Context(), "bob")
			require.NoError(t, err)
			return p.Flush(t.Context())
		},
		"before he is back": nil,
		"after its end": func(t *testing.T, alice *client.Client) error {
			<-time.After(3 * time.Minute)
			require.Empty(t, alice.Pipes())
			return alice.SendTo(t.Context(), "bob", "up", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx := t.Context()
				var at record
				w, alice := killed(t, client.AtMostOnce)
				var err error
				if tell == nil {
					err = alice.SendTo(ctx, "bob", "up", nil)
				}
				bob := w.dial("bob", nil)
				bob.Handle("up", at.take)
				go bob.Run(ctx)
				if tell != nil {
					err = tell(t, alice)
				}
				var gap *channel.GapError
				require.ErrorAs(t, err, &gap)
				require.Equal(t, []channel.ChannelGap{{Channel: "up", Sent: 3, Taken: 1, Lost: 2}}, gap.Channels)
				begun := time.Now()
				require.NoError(t, alice.SendTo(ctx, "bob", "up", numbered(0, 0)))
				require.Less(t, time.Since(begun), time.Second)
				<-time.After(10 * time.Minute) // the old pipe ends, and nothing is told twice
				require.NoError(t, alice.SendTo(ctx, "bob", "up", numbered(1, 0)))
				p, err := alice.PipeTo(ctx, "bob")
				require.NoError(t, err)
				require.NoError(t, p.Flush(ctx))
				require.Equal(t, upTo(2), at.taken())
				require.Len(t, alice.Pipes(), 1)
			})
		})
	}
}

// TestSendToSomebodyRestartedAtLeastOnce keeps what it cannot send again to another process, and
// tells when it gives that up.
func TestSendToSomebodyRestartedAtLeastOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w, alice := killed(t, client.AtLeastOnce)
		bob := w.dial("bob", nil)
		bob.Handle("up", at.take)
		go bob.Run(ctx)
		begun := time.Now()
		require.NoError(t, alice.SendTo(ctx, "bob", "up", numbered(0, 0)))
		require.Less(t, time.Since(begun), time.Second)
		<-time.After(10 * time.Minute)
		var gap *channel.GapError
		require.ErrorAs(t, alice.SendTo(ctx, "bob", "up", nil), &gap)
		require.Equal(t, []channel.ChannelGap{{Channel: "up", Sent: 3, Taken: 1, Lost: 2}}, gap.Channels)
		p, err := alice.PipeTo(ctx, "bob")
		require.NoError(t, err)
		require.NoError(t, p.SendAcked(ctx, "up", numbered(1, 0)))
		require.Equal(t, upTo(2), at.taken())
	})
}

// TestTwoGaps loses two pipes to a peer before anybody asks: one error tells of both.
func TestTwoGaps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w, alice := killed(t, client.AtLeastOnce)
		bobs, forBob := w.apart()
		bob := w.dial("bob", func(c *client.Config) {
			forBob(c)
			c.NoReconnect = true
		})
		for _, name := range []string{"down", "up"} {
			require.NoError(t, alice.SendTo(ctx, "bob", name, nil))
		}
		p, err := alice.PipeTo(ctx, "bob")
		require.NoError(t, err)
		_, err = p.Ping(ctx)
		require.NoError(t, err)
		bobs.fail(true)
		<-bob.Context().Done()
		<-time.After(10 * time.Minute)
		w.dial("bob", nil)
		var gap *channel.GapError
		require.ErrorAs(t, alice.SendTo(ctx, "bob", "up", nil), &gap)
		require.Equal(t, []channel.ChannelGap{{Channel: "down", Sent: 1, Lost: 1}, {Channel: "up", Sent: 4, Taken: 1, Lost: 3}},
			gap.Channels)
		require.Equal(t, []uint64{5, 1}, []uint64{gap.Sent, gap.Taken})
		require.NoError(t, alice.SendTo(ctx, "bob", "up", nil))
	})
}

// TestToldIsNotOwed does not tell again through SendTo what a call on the pipe has told, nor what
// was never given to it to send.
func TestToldIsNotOwed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w, alice := killed(t, client.AtMostOnce)
		q := alice.Pipes()[0]
		var gap *channel.GapError
		require.ErrorAs(t, q.Flush(ctx), &gap)
		<-q.Context().Done()
		require.ErrorAs(t, q.Flush(ctx), &gap)

		bobs, forBob := w.apart()
		bob := w.dial("bob", forBob)
		p, err := bob.OpenPipe(ctx, "alice")
		require.NoError(t, err)
		_, err = p.Ping(ctx)
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, alice.Pipes()[0].Send(ctx, "up", nil)) // as a handler answers
		bobs.fail(true)
		<-time.After(10 * time.Minute)
		w.dial("bob", nil)
		require.NoError(t, alice.SendTo(ctx, "bob", "up", nil))
	})
}

// TestSendToSomebodyWhoComesBack waits for the process that has opened the pipe, while the server
// does not know it: it has been restarted, and alice is the first.
func TestSendToSomebodyWhoComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w := newWorld(t, nil, "alice", "bob")
		alice := w.dial("alice", nil)
		go alice.Run(ctx)
		bobs, forBob := w.apart()
		bob := w.dial("bob", forBob)
		bob.Handle("up", at.take)
		q, err := bob.OpenPipe(ctx, "alice")
		require.NoError(t, err)
		go q.Run(ctx)
		_, err = q.Ping(ctx)
		require.NoError(t, err)
		synctest.Wait() // alice has taken it
		bobs.fail(true)
		w.restart(nil)
		await(t, alice, session(2))
		synctest.Wait()
		sent := make(chan error, 1)
		go func() { sent <- alice.SendTo(ctx, "bob", "up", numbered(0, 0)) }()
		<-time.After(time.Minute)
		select {
		case err := <-sent:
			t.Fatal("it did not wait: ", err)
		default:
		}
		bobs.fail(false)
		require.NoError(t, <-sent)
		p, err := alice.PipeTo(ctx, "bob")
		require.NoError(t, err)
		require.NoError(t, p.Flush(ctx))
		require.Equal(t, upTo(1), at.taken())
	})
}

// TestSendToSomebodyWhoMustOpen waits for the peer's pipe, as the server allows no other.
func TestSendToSomebodyWhoMustOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var refused atomic.Int32
		only := func(s *server.Server) {
			s.AllowPipe = func(from, to channel.Peer) error {
				if from.Name == "bob" {
					return nil
				}
				refused.Add(1)
				return channel.CodeRefused
			}
		}
		w := newWorld(t, only, "alice", "bob")
		alice := w.dial("alice", nil)
		go alice.Run(ctx)
		bobs, forBob := w.apart()
		bob := w.dial("bob", forBob)
		require.ErrorIs(t, alice.SendTo(ctx, "bob", "up", nil), channel.CodeRefused)
		q, err := bob.OpenPipe(ctx, "alice")
		require.NoError(t, err)
		_, err = q.Ping(ctx)
		require.NoError(t, err)
		synctest.Wait() // alice has taken it
		bobs.fail(true)
		w.restart(only)
		await(t, alice, session(2))
		w.dial("bob", nil) // another process, which the first one replaces when it is back
		synctest.Wait()
		sent := make(chan error, 1)
		go func() { sent <- alice.SendTo(ctx, "bob", "up", numbered(0, 0)) }()
		<-time.After(time.Minute)
		select {
		case err := <-sent:
			t.Fatal("it did not wait: ", err)
		default:
		}
		require.EqualValues(t, 2, refused.Load(), "a refusal is final, for a pipe of our own")
		bobs.fail(false)
		require.NoError(t, <-sent)
		m, err := q.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, numbered(0, 0), m.Body)
	})
}

// TestSendToNobodyWhoWaits ends with the pipe that waits, and at once with FailOffline.
func TestSendToNobodyWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		for _, fail := range []bool{false, true} {
			w := newWorld(t, func(s *server.Server) { s.Grace = -1 }, "alice", "bob")
			alice := w.dial("alice", func(c *client.Config) { c.FailOffline = fail })
			go alice.Run(ctx)
			bobs, forBob := w.apart()
			q, err := w.dial("bob", forBob).OpenPipe(ctx, "alice")
			require.NoError(t, err)
			_, err = q.Ping(ctx)
			require.NoError(t, err)
			synctest.Wait() // alice has taken it
			bobs.fail(true)
			synctest.Wait()
			begun := time.Now()
			err = alice.SendTo(ctx, "bob", "up", nil)
			if fail {
				require.ErrorIs(t, err, client.ErrOffline)
				require.Less(t, time.Since(begun), time.Second)
				continue
			}
			require.ErrorIs(t, err, channel.CodeNotConnected)
			require.InDelta(t, 120, time.Since(begun).Seconds(), 3)
		}
	})
}
