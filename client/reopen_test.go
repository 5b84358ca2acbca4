package client_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

// own gives a client a network of its own to the world's servers.
func (w *world) apart() (*network, func(*client.Config)) {
	n := &network{hosts: w.net.hosts}
	return n, func(c *client.Config) { c.DialContext = n.dial }
}

// TestPipeReopened loses the session of each side in turn. Both go on with the Pipe that they have.
func TestPipeReopened(t *testing.T) {
	for _, delivery := range []client.Delivery{client.AtMostOnce, client.AtLeastOnce} {
		for _, opener := range []bool{true, false} {
			bubble(t, func(t *testing.T) { testPipeReopened(t, opener, delivery) })
		}
	}
}

func testPipeReopened(t *testing.T, opener bool, delivery client.Delivery) {
	ctx := t.Context()
	var atAlice, atBob record
	w := newWorld(t, func(s *server.Server) { s.Grace = 10 * time.Second }, "alice", "bob")
	alices, forAlice := w.apart()
	bobs, forBob := w.apart()
	set := func(more func(*client.Config)) func(*client.Config) {
		return func(c *client.Config) {
			more(c)
			c.Delivery = delivery
		}
	}
	alice, bob := w.dial("alice", set(forAlice)), w.dial("bob", set(forBob))
	alice.Handle("up", atAlice.take)
	bob.Handle("up", atBob.take)
	p, err := alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)
	q, err := bob.AcceptPipe(ctx)
	require.NoError(t, err)
	go p.Run(ctx)
	go q.Run(ctx)
	for _, c := range []channel.Conn{p, q} {
		require.NoError(t, c.SendAcked(ctx, "up", numbered(0, 0)))
	}

	lost, gone := bobs, bob
	if opener {
		lost, gone = alices, alice
	}
	lost.fail(true)
	await(t, gone, phase(client.Resuming))
	<-time.After(15 * time.Second)
	// The session is gone, and so is the link of the pipe at the end that is connected.
	there := map[*client.Pipe]bool{p: !opener, q: opener}
	for c, watches := range there {
		since, away := c.Away()
		require.Equal(t, watches, away)
		require.True(t, !away || time.Since(since) < 6*time.Second)
	}
	lost.fail(false)
	await(t, gone, session(2))
	<-time.After(5 * time.Second) // all are back
	for c := range there {
		_, away := c.Away()
		require.False(t, away)
	}
	for i, c := range map[*client.Pipe]*record{p: &atBob, q: &atAlice} {
		require.NoError(t, i.SendAcked(ctx, "up", numbered(1, 0)))
		require.NoError(t, i.Send(ctx, "up", numbered(2, 0)))
		require.NoError(t, i.Flush(ctx))
		require.Equal(t, upTo(3), c.taken())
	}
	require.Equal(t, []*client.Pipe{p}, alice.Pipes())
	require.Equal(t, []*client.Pipe{q}, bob.Pipes())
	require.NoError(t, p.Close())
	<-q.Context().Done()
	require.ErrorIs(t, context.Cause(q.Context()), channel.CodeClosed)
}

// TestPipeOverARestart loses both sessions at once with what was on the way.
func TestPipeOverARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var atBob record
		w := newWorld(t, nil, "alice", "bob")
		alice := w.dial("alice", func(c *client.Config) { c.Delivery = client.AtLeastOnce })
		bob := w.dial("bob", nil)
		bob.Handle("up", atBob.take)
		go bob.Run(ctx)
		for i := range 5 {
			require.NoError(t, alice.SendTo(ctx, "bob", "up", numbered(i, 0)))
		}
		p, err := alice.PipeTo(ctx, "bob")
		require.NoError(t, err)
		w.net.fail(true)
		for i := 5; i < 20; i++ {
			require.NoError(t, p.Send(ctx, "up", numbered(i, 0)))
		}
		w.restart(nil)
		for i := 20; i < 40; i++ {
			require.NoError(t, alice.SendTo(ctx, "bob", "up", numbered(i, 0)))
		}
		require.NoError(t, p.Flush(ctx))
		require.Equal(t, upTo(40), atBob.taken())
		require.Equal(t, 2, alice.State().Session)
		require.Equal(t, []*client.Pipe{p}, alice.Pipes())
	})
}

// TestPipeGap loses what bob has not taken.
func TestPipeGap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		alice, bob := w.dial("alice", nil), w.dial("bob", nil)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		for i := range 3 {
			require.NoError(t, p.Send(ctx, "up", numbered(i, 0)))
		}
		m, err := q.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, numbered(0, 0), m.Body)
		w.restart(nil)
		await(t, alice, session(2))
		await(t, bob, session(2))
		<-time.After(5 * time.Second) // the pipe is back, too
		err = p.Flush(ctx)
		var gap *channel.GapError
		require.ErrorAs(t, err, &gap)
		require.EqualValues(t, 3, gap.Sent)
		require.LessOrEqual(t, gap.Taken, uint64(1))
		require.NoError(t, p.Send(ctx, "up", numbered(3, 0)))
		m, err = q.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, numbered(3, 0), m.Body)
		require.EqualValues(t, 2, m.Missed)
	})
}

// TestPipeWithoutItsPeer ends when its time is over.
func TestPipeWithoutItsPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, func(s *server.Server) { s.Grace = 10 * time.Second }, "alice", "bob")
		bobs, forBob := w.apart()
		alice := w.dial("alice", func(c *client.Config) { c.PipeGrace = time.Minute })
		bob := w.dial("bob", forBob)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		bobs.fail(true)
		begun := time.Now()
		<-p.Context().Done()
		require.InDelta(t, 70, time.Since(begun).Seconds(), 2)
		require.ErrorIs(t, context.Cause(p.Context()), channel.CodeGone)
		_, away := p.Away()
		require.False(t, away)
		require.Empty(t, alice.Pipes())
		// The other end has its default of two minutes, which begin when its client gives the session up.
		<-q.Context().Done()
		require.InDelta(t, 160, time.Since(begun).Seconds(), 5)
		require.Empty(t, bob.Pipes())
	})
}

// TestPipeClosedByPeer is over, also for the side that could open it anew.
func TestPipeClosedByPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		alice, bob := w.dial("alice", nil), w.dial("bob", nil)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		require.NoError(t, q.CloseWithReason(300, "enough"))
		<-p.Context().Done()
		var closed *channel.CloseError
		require.ErrorAs(t, context.Cause(p.Context()), &closed)
		require.Equal(t, channel.Code(300), closed.Code)
		<-time.After(time.Hour)
		require.Empty(t, alice.Pipes())
		require.Empty(t, bob.Pipes())
	})
}

// TestPipeRefusedAnew is not tried again.
func TestPipeRefusedAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		alice, bob := w.dial("alice", nil), w.dial("bob", nil)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		asked := 0
		w.restart(func(s *server.Server) {
			s.AllowPipe = func(from, to channel.Peer) error {
				asked++
				return channel.CodeRefused
			}
		})
		<-p.Context().Done()
		require.ErrorIs(t, context.Cause(p.Context()), channel.CodeRefused)
		<-q.Context().Done()
		synctest.Wait()
		require.Equal(t, 1, asked)
	})
}

// TestPipeToSomebodyForgotten reaches the server before the peer does: one that keeps names in
// memory does not know his yet.
func TestPipeToSomebodyForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		w.stop()
		w.own.Open, w.own.Clients = true, nil
		w.serve("hub:1", nil)
		bobs, forBob := w.apart()
		alice, bob := w.dial("alice", nil), w.dial("bob", forBob)
		_, err := alice.OpenPipe(ctx, "nobody")
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		bobs.fail(true)
		w.restart(nil)
		await(t, alice, session(2))
		_, err = alice.OpenPipe(ctx, "bob")
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		<-time.After(30 * time.Second)
		bobs.fail(false)
		require.NoError(t, p.Send(ctx, "up", numbered(0, 0)))
		m, err := q.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, numbered(0, 0), m.Body)
	})
}

// TestPipesEndWithTheSession has the server end the opener's session or the other's: for the pipe
// that is a loss, and not the peer's word.
func TestPipesEndWithTheSession(t *testing.T) {
	for _, never := range []bool{true, false} {
		for _, taken := range []bool{true, false} {
			bubble(t, func(t *testing.T) {
				ctx := t.Context()
				w := newWorld(t, nil, "alice", "bob")
				alice, bob := w.dial("alice", func(c *client.Config) { c.NoReconnect = never }), w.dial("bob", nil)
				p, err := alice.OpenPipe(ctx, "bob")
				require.NoError(t, err)
				q, err := bob.AcceptPipe(ctx)
				require.NoError(t, err)
				require.NoError(t, p.Send(ctx, "up", nil))
				require.NoError(t, alice.Send(ctx, "up", nil))
				if taken {
					_, err = q.Receive(ctx)
					require.NoError(t, err)
					require.NoError(t, p.Flush(ctx))
				}
				sess, ok := w.srv.Session("alice")
				require.True(t, ok)
				_ = sess.CloseWithReason(channel.CodeKicked, "go")
				<-p.Context().Done()
				err = context.Cause(p.Context())
				var gap *channel.GapError
				require.Equal(t, !taken, errors.As(err, &gap))
				if !taken {
					require.Equal(t, []channel.ChannelGap{{Channel: "up", Sent: 1, Lost: 1}}, gap.Channels)
					err = gap.Err
				}
				lost, ok := err.(*channel.LostError)
				require.True(t, ok, "%v", err)
				closed, ok := lost.Err.(*channel.CloseError)
				require.True(t, ok, "%v", err)
				require.Equal(t, channel.CloseError{Code: channel.CodeKicked, Text: "go"}, *closed)
			})
		}
	}
}

// TestWaitingPipesHaveTheirPlace counts those that wait for their peer, and a peer that comes back once.
func TestWaitingPipesHaveTheirPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		alice, bob := w.dial("alice", nil), w.dial("bob", nil)
		for range 10 {
			_, err := alice.OpenPipe(ctx, "bob")
			require.NoError(t, err)
			_, err = bob.AcceptPipe(ctx)
			require.NoError(t, err)
		}
		for i := range 3 {
			w.restart(nil)
			await(t, alice, session(i+2))
			require.Len(t, bob.Pipes(), 10)
			<-time.After(10 * time.Second) // all are back
			for _, p := range alice.Pipes() {
				_, err := p.Ping(ctx)
				require.NoError(t, err)
			}
			require.Len(t, bob.Pipes(), 10)
		}
	})
}

// TestRestartedPeer opens a pipe as another process: SendTo uses that one, and not the one that
// waits for who is no more.
func TestRestartedPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w := newWorld(t, func(s *server.Server) { s.Grace = -1 }, "alice", "bob")
		bob := w.dial("bob", nil)
		go bob.Run(ctx)
		alices, forAlice := w.apart()
		first := w.dial("alice", forAlice)
		p, err := first.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		_, err = p.Ping(ctx)
		require.NoError(t, err)
		synctest.Wait() // bob has taken it, and does not open one of his own
		require.NoError(t, bob.SendTo(ctx, "alice", "x", nil))
		alices.fail(true)
		synctest.Wait()
		require.Len(t, bob.Pipes(), 1)

		second := w.dial("alice", nil)
		second.Handle("up", at.take)
		p, err = second.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		go p.Run(ctx)
		synctest.Wait()
		var gap *channel.GapError
		require.ErrorAs(t, bob.SendTo(ctx, "alice", "up", nil), &gap)
		require.Equal(t, []channel.ChannelGap{{Channel: "x", Sent: 1, Lost: 1}}, gap.Channels)
		require.NoError(t, bob.SendTo(ctx, "alice", "up", numbered(0, 0)))
		require.Equal(t, upTo(1), at.taken())
		require.Len(t, bob.Pipes(), 2)
	})
}

// TestCrowdOfTheGone has a peer be killed and restarted more often than it may have pipes: those that wait make room.
func TestCrowdOfTheGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, func(s *server.Server) { s.Grace = -1 }, "alice", "bob")
		bob := w.dial("bob", nil)
		var all []*client.Pipe
		for range 70 {
			alices, forAlice := w.apart()
			alice := w.dial("alice", func(c *client.Config) {
				forAlice(c)
				c.NoReconnect = true
			})
			_, err := alice.OpenPipe(ctx, "bob")
			require.NoError(t, err)
			q, err := bob.AcceptPipe(ctx)
			require.NoError(t, err)
			all = append(all, q)
			alices.fail(true)
			<-time.After(time.Second)
		}
		require.Len(t, bob.Pipes(), 64)
		for i, q := range all {
			require.Equal(t, i < 6, q.Context().Err() != nil, "%d", i)
		}
	})
}
