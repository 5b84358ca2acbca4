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

// busy is a handler that is at work until it is told to be done, or its ctx ends.
type busy chan struct{}

func (b busy) handle(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
	select {
	case <-b:
	case <-ctx.Done():
	}
	return nil
}

// comesBack is when the servers of TestSessionLost want their clients back.
const comesBack = 20 * time.Second

// way is one in which a session is lost.
type way struct {
	end  func(t *testing.T, w *world, b busy)
	said bool // the server says goodbye, and when to come back
}

// ways are all in which a new session follows.
var ways = map[string]way{
	"killed": {func(t *testing.T, w *world, _ busy) { w.restart(nil) }, false},
	"closed": {func(t *testing.T, w *world, _ busy) {
		w.stop()
		w.serve("hub:1", nil)
	}, true},
	"drained": {func(t *testing.T, w *world, b busy) {
		drained := make(chan error, 1)
		go func() { drained <- w.srv.Shutdown(t.Context()) }()
		synctest.Wait() // from now on no handler is called any more
		close(b)
		require.NoError(t, <-drained)
		w.stop()
		w.serve("hub:1", nil)
	}, true},
	"drained for too long": {func(t *testing.T, w *world, _ busy) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		require.Error(t, w.srv.Shutdown(ctx))
		w.stop()
		w.serve("hub:1", nil)
	}, true},
}

// TestSessionLost ends sessions in all the ways that a new one follows: one test finds that in
// whatever a call returns, and what is known of how it was is there as well.
func TestSessionLost(t *testing.T) {
	for name, how := range ways {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				for what, err := range loseSession(t, how) {
					require.ErrorIs(t, err, client.ErrSessionLost, what)
					var closed *channel.CloseError
					if how.said {
						require.ErrorAs(t, err, &closed, what)
						require.Equal(t, channel.CodeShutdown, closed.Code, what)
						continue
					}
					require.ErrorAs(t, err, new(*channel.LostError), what)
					require.False(t, errors.As(err, &closed), what)
				}
			})
		})
	}
}

// loseSession has a client lose a session with all kinds of things under way, and come back. It
// returns what became of them.
func loseSession(t *testing.T, how way) map[string]error {
	ctx := t.Context()
	b := make(busy)
	w := newWorld(t, func(s *server.Server) {
		s.ReturnAfter = comesBack
		s.Handler.Handle("ask", b.handle)
	}, "alice")
	ln, err := w.srv.Listen("bytes")
	require.NoError(t, err)
	alice := w.dial("alice", nil)
	stream, err := alice.OpenStream(ctx, "bytes")
	require.NoError(t, err)
	_, err = ln.Accept()
	require.NoError(t, err)
	back, err := alice.ListenServer("bytes")
	require.NoError(t, err)
	sess, _ := w.srv.Session("alice")
	_, err = sess.OpenStream(ctx, "bytes")
	require.NoError(t, err)
	accepted, err := back.Accept()
	require.NoError(t, err)

	go func() { _, _ = alice.Request(ctx, "ask", nil) }()
	synctest.Wait() // the handler is at work
	waiting := map[string]chan error{}
	for what, call := range map[string]func() error{
		"a request":          func() error { _, err := alice.Request(ctx, "ask", nil); return err },
		"a stream":           func() error { _, err := stream.Read(make([]byte, 1)); return err },
		"an accepted stream": func() error { _, err := accepted.Read(make([]byte, 1)); return err },
	} {
		done := make(chan error, 1)
		waiting[what] = done
		go func() { done <- call() }()
	}
	synctest.Wait()
	require.NoError(t, alice.Send(ctx, "ask", nil))
	synctest.Wait()

	begun := time.Now()
	how.end(t, w, b)
	between := await(t, alice, func(s client.State) bool { return s.Phase == client.Connecting || s.Session == 2 })
	await(t, alice, session(2))
	became := map[string]error{"a message": alice.Send(ctx, "ask", nil)}
	require.ErrorAs(t, became["a message"], new(*channel.GapError))
	_, became["a write"] = stream.Write([]byte("x"))
	if how.said {
		became["the state"] = between.Err // else it was resuming
	}
	require.Equal(t, how.said, time.Since(begun) >= comesBack)
	for what, done := range waiting {
		became[what] = <-done
	}
	return became
}

// TestWhoseSessionWasLost ends the session of one end of a pipe: it finds that in what its calls
// return, and the other end does not.
func TestWhoseSessionWasLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		alice, bob := w.dial("alice", nil), w.dial("bob", nil)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		q, err := bob.AcceptPipe(ctx)
		require.NoError(t, err)
		asked := [2]chan error{make(chan error, 1), make(chan error, 1)}
		for i, c := range []channel.Conn{p, q} {
			go func() { _, err := c.Request(ctx, "ask", nil); asked[i] <- err }()
		}
		synctest.Wait()
		sess, _ := w.srv.Session("alice")
		require.NoError(t, sess.CloseWithReason(channel.CodeBusy, ""))
		ours, theirs := <-asked[0], <-asked[1]
		require.ErrorIs(t, ours, client.ErrSessionLost)
		require.ErrorIs(t, ours, channel.CodeBusy)
		require.ErrorIs(t, theirs, channel.CodeGone)
		require.NotErrorIs(t, theirs, client.ErrSessionLost)
		for _, err := range []error{ours, theirs} {
			require.ErrorAs(t, err, new(*channel.LostError))
		}
		await(t, alice, session(2))
	})
}

// TestNotLost ends a session for good, and a stream and a request alone: none of that is a session that was lost.
func TestNotLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, func(s *server.Server) {
			s.Handler.Handle("ask", make(busy).handle)
			s.Handler.Handle("no", func(context.Context, channel.Conn, *channel.Message) error { return channel.CodeShutdown })
		}, "alice")
		ln, err := w.srv.Listen("bytes")
		require.NoError(t, err)
		alice := w.dial("alice", nil)
		stream, err := alice.OpenStream(ctx, "bytes")
		require.NoError(t, err)
		accepted, err := ln.Accept()
		require.NoError(t, err)
		accepted.(interface {
			CloseWithReason(channel.Code, string)
		}).CloseWithReason(channel.CodeShutdown, "")
		_, err = stream.Read(make([]byte, 1))
		require.ErrorIs(t, err, channel.CodeShutdown)
		require.NotErrorIs(t, err, client.ErrSessionLost)
		_, err = alice.Request(ctx, "no", nil)
		require.ErrorIs(t, err, channel.CodeShutdown)
		require.NotErrorIs(t, err, client.ErrSessionLost)
		other, cancel := context.WithCancelCause(ctx)
		why := &channel.LostError{Err: errDown}
		cancel(why)
		_, err = alice.Request(other, "ask", nil)
		require.Equal(t, error(why), err, "it is the caller's own")

		asked := make(chan error, 1)
		go func() { _, err := alice.Request(ctx, "ask", nil); asked <- err }()
		synctest.Wait()
		sess, _ := w.srv.Session("alice")
		_ = sess.CloseWithReason(channel.CodeKicked, "")
		for _, err := range []error{<-asked, alice.Run(ctx), alice.Send(ctx, "x", nil)} {
			require.ErrorIs(t, err, channel.CodeKicked)
			require.NotErrorIs(t, err, client.ErrSessionLost)
		}
	})
}

// TestWhoTellsOfGaps asks for a gap only those who send messages: a Ping, a request and a stream
// end with their session and say why, and the gap is still told, once.
func TestWhoTellsOfGaps(t *testing.T) {
	for _, mode := range []client.Delivery{client.AtMostOnce, client.AtLeastOnce} {
		bubble(t, func(t *testing.T) {
			ctx := t.Context()
			var at record
			w := newWorld(t, nil, "alice")
			alice := w.dial("alice", func(c *client.Config) { c.Delivery = mode })
			w.net.fail(true)
			await(t, alice, phase(client.Resuming))
			require.NoError(t, alice.Send(ctx, "news", numbered(0, 0)))
			calls := without(ctx, alice)
			errs := make(chan error, len(calls))
			for _, call := range calls {
				go func() { errs <- call() }()
			}
			synctest.Wait()
			require.Empty(t, errs)
			w.restart(func(s *server.Server) { s.Handler.Handle("news", at.take) })
			for range calls {
				err := <-errs
				require.ErrorIs(t, err, client.ErrSessionLost)
				require.False(t, errors.As(err, new(*channel.GapError)), "%v", err)
			}
			if mode == client.AtMostOnce {
				require.ErrorAs(t, alice.Send(ctx, "news", numbered(0, 0)), new(*channel.GapError))
			}
			require.NoError(t, alice.SendAcked(ctx, "news", numbered(0, 0)))
		})
	}
}

// TestWhoTellsOfTheLastGap is TestWhoTellsOfGaps for a client and a pipe that have ended.
func TestWhoTellsOfTheLastGap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice", "bob")
		alice := w.dial("alice", func(c *client.Config) { c.NoReconnect = true })
		w.dial("bob", nil)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		require.NoError(t, alice.Send(ctx, "news", nil))
		require.NoError(t, p.Send(ctx, "news", nil))
		w.restart(nil)
		<-alice.Context().Done()
		<-p.Context().Done()
		calls := append(without(ctx, alice), without(ctx, p)...)
		calls = append(calls, func() error { _, err := alice.OpenPipe(ctx, "bob"); return err })
		for _, call := range calls {
			err := call()
			require.ErrorIs(t, err, client.ErrSessionLost)
			require.False(t, errors.As(err, new(*channel.GapError)), "%v", err)
		}
		require.ErrorAs(t, alice.Send(ctx, "news", nil), new(*channel.GapError))
		require.ErrorAs(t, p.Send(ctx, "news", nil), new(*channel.GapError))
	})
}

// without are the calls that send no messages.
func without(ctx context.Context, c interface {
	channel.Conn
	Ping(ctx context.Context) (time.Duration, error)
}) []func() error {
	return []func() error{
		func() error { _, err := c.Ping(ctx); return err },
		func() error { _, err := c.Request(ctx, "ask", nil); return err },
		func() error { _, err := c.OpenStream(ctx, "bytes"); return err },
	}
}

// TestKickedWhileAway: how a client ends does not depend on whether it is connected when it is kicked.
func TestKickedWhileAway(t *testing.T) {
	for _, away := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			ctx := t.Context()
			w := newWorld(t, nil, "alice")
			alice := w.dial("alice", nil)
			require.NoError(t, alice.Send(ctx, "up", nil))
			synctest.Wait()
			if away {
				w.net.fail(true)
				await(t, alice, phase(client.Resuming))
			}
			sess, ok := w.srv.Session("alice")
			require.True(t, ok)
			_ = sess.CloseWithReason(channel.CodeKicked, "go")
			w.net.fail(false)
			_, err := alice.Receive(ctx)
			require.IsType(t, &channel.CloseError{}, err)
			require.ErrorIs(t, err, channel.CodeKicked)
			_, err = alice.AcceptPipe(ctx)
			require.IsType(t, &channel.CloseError{}, err)
			for _, err := range alice.Presence(ctx) {
				require.IsType(t, &channel.CloseError{}, err)
			}
			cause := context.Cause(alice.Context())
			var gap *channel.GapError
			require.ErrorAs(t, cause, &gap)
			require.Equal(t, &channel.CloseError{Code: channel.CodeKicked, Text: "go"}, gap.Err)
			require.ErrorIs(t, alice.Run(ctx), channel.CodeKicked)
			require.Equal(t, cause, alice.State().Err)
		})
	}
}
