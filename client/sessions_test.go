package client_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// bubble runs a test in memory and in time of its own.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// restart stops the server while the network is down, and puts another in its place.
func (w *world) restart(set func(*server.Server)) {
	w.net.fail(true)
	w.stop()
	w.serve("hub:1", set)
	w.net.fail(false)
}

// TestRestartedServer sends what the server cannot take before it is killed: the sender hears of it once, and goes on.
func TestRestartedServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var before, after record
		w := newWorld(t, func(s *server.Server) { s.Handler.Handle("up", before.take) }, "alice")
		alice := w.dial("alice", nil)
		require.NoError(t, alice.Send(ctx, "up", numbered(0, 0)))
		require.NoError(t, alice.Flush(ctx))
		w.net.fail(true)
		await(t, alice, phase(client.Resuming))
		for i := 1; i < 4; i++ {
			require.NoError(t, alice.Send(ctx, "up", numbered(i, 0)))
		}
		w.restart(func(s *server.Server) { s.Handler.Handle("up", after.take) })
		s := await(t, alice, session(2))
		require.NoError(t, s.Err)

		err := alice.Send(ctx, "up", numbered(4, 0))
		var gap *channel.GapError
		require.ErrorAs(t, err, &gap)
		require.Equal(t, []channel.ChannelGap{{Channel: "up", Sent: 4, Taken: 1, Lost: 3}}, gap.Channels)
		var lost *channel.LostError
		require.ErrorAs(t, err, &lost)
		require.NoError(t, alice.Send(ctx, "up", numbered(5, 0)))
		require.NoError(t, alice.Flush(ctx))
		require.Equal(t, []uint32{0}, before.taken())
		require.Equal(t, []uint32{5}, after.taken())
		require.NoError(t, alice.Context().Err())
	})
}

func TestRestartedServerAtLeastOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var before, after record
		w := newWorld(t, func(s *server.Server) { s.Handler.Handle("up", before.take) }, "alice")
		alice := w.dial("alice", func(c *client.Config) { c.Delivery = client.AtLeastOnce })
		require.NoError(t, alice.Send(ctx, "up", numbered(0, 0)))
		require.NoError(t, alice.Flush(ctx))
		w.net.fail(true)
		await(t, alice, phase(client.Resuming))
		for i := 1; i < 4; i++ {
			require.NoError(t, alice.Send(ctx, "up", numbered(i, 0)))
		}
		acked := make(chan error, 1)
		go func() { acked <- alice.SendAcked(ctx, "up", numbered(4, 0)) }()
		synctest.Wait()
		w.restart(func(s *server.Server) { s.Handler.Handle("up", after.take) })
		require.NoError(t, <-acked)
		require.NoError(t, alice.Send(ctx, "up", numbered(5, 0)))
		require.NoError(t, alice.Flush(ctx))
		require.Equal(t, 2, alice.State().Session)
		require.Equal(t, []uint32{0}, before.taken())
		require.Equal(t, []uint32{1, 2, 3, 4, 5}, after.taken())
	})
}

// TestSessionIsTold asks in a session's first message which one the client says it is in.
func TestSessionIsTold(t *testing.T) {
	for range 50 {
		bubble(t, func(t *testing.T) {
			ctx := t.Context()
			w := newWorld(t, nil, "alice")
			alice := w.dial("alice", func(c *client.Config) { c.Delivery = client.AtLeastOnce })
			w.net.fail(true)
			await(t, alice, phase(client.Resuming))
			require.NoError(t, alice.Send(ctx, "up", numbered(0, 0)))
			said := make(chan client.State, 1)
			w.restart(func(s *server.Server) {
				s.Handler.Handle("up", func(context.Context, channel.Conn, *channel.Message) error {
					said <- alice.State()
					return nil
				})
			})
			s := <-said
			require.Equal(t, 2, s.Session)
			require.Equal(t, client.Online, s.Phase)
		})
	}
}

// TestGraceIsOver loses the session, and what the server says of what it has taken, but not the
// server: nothing is taken twice.
func TestGraceIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w := newWorld(t, func(s *server.Server) {
			s.Handler.Handle("up", at.take)
			s.Grace = 30 * time.Second
		}, "alice")
		alice := w.dial("alice", func(c *client.Config) { c.Delivery = client.AtLeastOnce })
		w.net.deafen()
		for i := range 5 {
			require.NoError(t, alice.Send(ctx, "up", numbered(i, 0)))
		}
		synctest.Wait()
		require.Equal(t, upTo(5), at.taken())
		w.net.fail(true)
		<-time.After(40 * time.Second) // the server's grace is over, and the client hopes on
		require.Equal(t, client.Resuming, alice.State().Phase)
		w.net.fail(false)
		await(t, alice, session(2))
		require.NoError(t, alice.Send(ctx, "up", numbered(5, 0)))
		require.NoError(t, alice.Flush(ctx))
		require.Equal(t, upTo(6), at.taken())
	})
}

// TestHopeIsOver loses the server for longer than any session lasts: calls that wait for answers
// hear of it, and the client goes on trying.
func TestHopeIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		asked := make(chan struct{}, 1)
		w := newWorld(t, func(s *server.Server) {
			s.Handler.Handle("ask", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
				asked <- struct{}{}
				<-ctx.Done()
				return nil
			})
		}, "alice")
		alice := w.dial("alice", nil)
		got := make(chan error, 1)
		go func() {
			_, err := alice.Request(ctx, "ask", nil)
			got <- err
		}()
		<-asked
		w.net.fail(true)
		begun := time.Now()
		var lost *channel.LostError
		require.ErrorAs(t, <-got, &lost)
		require.ErrorIs(t, lost, client.ErrSessionLost)
		var why *client.SessionLostError
		require.ErrorAs(t, lost, &why)
		require.Equal(t, 2*time.Minute, why.Grace)
		require.ErrorIs(t, why, errDown)
		require.InDelta(t, 150, time.Since(begun).Seconds(), 4)
		s := await(t, alice, phase(client.Connecting))
		require.ErrorIs(t, s.Err, errDown)
		<-time.After(time.Hour)
		w.net.fail(false)
		await(t, alice, session(2))
	})
}

// TestDrainedServer restarts the server in an orderly way: clients are told when to come back, and do.
func TestDrainedServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(s *server.Server) { s.ReturnAfter = 20 * time.Second }, "alice")
		alice := w.dial("alice", nil)
		begun := time.Now()
		require.NoError(t, w.srv.Shutdown(t.Context()))
		s := await(t, alice, phase(client.Connecting))
		require.ErrorIs(t, s.Err, channel.CodeShutdown)
		require.InDelta(t, 20, s.Retry.Seconds(), 1)
		require.Equal(t, s.Since.Add(s.Retry), s.RetryAt)
		w.restart(nil)
		await(t, alice, session(2))
		require.GreaterOrEqual(t, time.Since(begun), 19*time.Second)
		require.Len(t, w.net.dialed(), 2)
	})
}

// TestLongAway is asked to stay away for a day, and looks sooner.
func TestLongAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(s *server.Server) { s.ReturnAfter = 24 * time.Hour }, "alice")
		alice := w.dial("alice", nil)
		begun := time.Now()
		require.NoError(t, w.srv.Shutdown(t.Context()))
		w.restart(nil)
		await(t, alice, session(2))
		require.InDelta(t, 10, time.Since(begun).Minutes(), 0.1)
	})
}

// TestCloseCodes has the server end sessions for all kinds of reasons.
func TestCloseCodes(t *testing.T) {
	for code, back := range map[channel.Code]bool{
		channel.CodeShutdown: true, channel.CodeLimit: true, channel.CodeTimeout: true, channel.CodeBusy: true, channel.CodeNoSession: true,
		channel.CodeClosed: false, channel.CodeInternal: false, channel.CodeKicked: false, channel.CodeRevoked: false, 256: false,
		999: false,
	} {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, nil, "alice")
			alice := w.dial("alice", nil)
			sess, ok := w.srv.Session("alice")
			require.True(t, ok)
			_ = sess.CloseWithReason(code, "because") // what the server makes of it is for its own tests
			if back {
				await(t, alice, session(2))
				return
			}
			<-alice.Context().Done()
			var closed *channel.CloseError
			require.ErrorAs(t, context.Cause(alice.Context()), &closed)
			require.Equal(t, channel.CloseError{Code: code, Text: "because"}, *closed)
			<-time.After(time.Hour)
			require.Len(t, w.net.dialed(), 1)
		})
	}
}

// TestRefusedForNow is let in when the server has thought better of it.
func TestRefusedForNow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := 0
		allow := func(s *server.Server) {
			s.AllowGroups = func(channel.Peer, []string) error {
				asked++
				return [...]channel.Code{channel.CodeShutdown, channel.CodeLimit, channel.CodeTimeout, channel.CodeBusy}[asked%4]
			}
		}
		w := newWorld(t, func(s *server.Server) { s.AllowGroups = func(channel.Peer, []string) error { return nil } }, "alice")
		alice := w.dial("alice", func(c *client.Config) { c.Groups = []string{"g"} })
		w.restart(allow)
		<-time.After(10 * time.Minute)
		s := alice.State()
		require.Equal(t, client.Connecting, s.Phase) // the session is known to be no more
		var refused *channel.Error
		require.ErrorAs(t, s.Err, &refused)
		require.Greater(t, asked, 60)
		require.Less(t, asked, 300) // the back-off goes on
		w.restart(nil)
		require.ErrorIs(t, alice.Run(t.Context()), channel.CodeRefused)
	})
}

func TestReplacedIsFinal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		first := w.dial("alice", nil)
		w.dial("alice", nil)
		require.ErrorIs(t, first.Run(t.Context()), channel.CodeReplaced)
		<-time.After(time.Hour)
		require.Len(t, w.net.dialed(), 2)
		s := first.State()
		require.Equal(t, client.Offline, s.Phase)
		require.ErrorIs(t, s.Err, channel.CodeReplaced)
	})
}

// TestReplacedWhileAway finds out when it comes back.
func TestReplacedWhileAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		var stuck atomic.Bool
		first := w.dial("alice", func(c *client.Config) {
			c.DialContext = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
				if stuck.Load() {
					return nil, errDown
				}
				return w.net.dial(ctx, network, address)
			}
		})
		stuck.Store(true)
		w.net.cut()
		await(t, first, phase(client.Resuming))
		w.dial("alice", nil)
		stuck.Store(false)
		require.ErrorIs(t, first.Run(t.Context()), channel.CodeReplaced)
		require.IsType(t, &channel.CloseError{}, context.Cause(first.Context()), "as if it had not been away")
	})
}

func TestRefusalIsFinal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice", "bob")
		alice := w.dial("alice", nil)
		own := *w.own
		own.Clients = map[string]keys.PublicKey{"bob": w.files["bob"].Public}
		w.own = &own
		w.restart(nil)
		err := alice.Run(t.Context())
		var closed *channel.CloseError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, channel.CodeUnknownKey, closed.Code)
		require.NotErrorIs(t, err, client.ErrSessionLost)
		<-time.After(time.Hour)
		require.Len(t, w.net.dialed(), 2)
	})
}

// TestImpostor finds another server at the address.
func TestImpostor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		w.files["alice"].Server.Key = keys.PublicKey{}
		alice := w.dial("alice", func(c *client.Config) { c.KnownServers = knownServers(t) })
		own := *w.own
		other, err := keys.GeneratePrivateKey()
		require.NoError(t, err)
		own.Private, own.Public = other, other.Public()
		w.own = &own
		w.restart(nil)
		var changed *keys.ChangedKeyError
		require.ErrorAs(t, alice.Run(t.Context()), &changed)
		require.Equal(t, own.Public, changed.Offered)
		require.IsType(t, &channel.LostError{}, context.Cause(alice.Context()))
		require.NotErrorIs(t, alice.Run(t.Context()), client.ErrSessionLost)
	})
}

func TestStates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		alice := w.dial("alice", nil)
		type seen struct {
			phase   client.Phase
			session int
		}
		var all []seen
		done := make(chan client.State)
		go func() {
			var last client.State
			for s := range alice.States(context.Background()) {
				now := seen{s.Phase, s.Session}
				if len(all) == 0 || all[len(all)-1] != now {
					all = append(all, now)
				}
				last = s
			}
			done <- last
		}()
		synctest.Wait()
		w.net.fail(true)
		synctest.Wait()
		w.net.fail(false)
		await(t, alice, session(1))
		synctest.Wait()
		w.net.fail(true)
		synctest.Wait()
		w.restart(nil)
		await(t, alice, session(2))
		synctest.Wait()
		require.NoError(t, w.srv.Shutdown(t.Context()))
		synctest.Wait()
		require.NoError(t, alice.Close())
		last := <-done
		require.True(t, errors.Is(last.Err, channel.ErrClosed), "%v", last.Err)
		require.Equal(t, []seen{
			{client.Online, 1}, {client.Resuming, 1}, {client.Online, 1}, {client.Resuming, 1}, {client.Online, 2}, {client.Connecting, 2},
			{client.Offline, 2},
		}, all)

		// One that is late sees the end, one that gave up nothing more.
		stopped, stop := context.WithCancel(t.Context())
		stop()
		for s := range alice.States(stopped) {
			require.Equal(t, client.Offline, s.Phase)
		}
	})
}
