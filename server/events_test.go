package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/server"
)

// diary is what the hooks of a server were called with, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// read gives what was written since the last call.
func (d *diary) read() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// keep has all hooks write.
func (d *diary) keep(s *server.Server) {
	name := func(s *server.Session) string { return s.Peer().Name }
	s.OnJoin = func(s *server.Session) { d.write("%s joined %v", name(s), s.Groups()) }
	s.OnLeave = func(s *server.Session, reason error) { d.write("%s left: %v", name(s), reason) }
	s.OnAway = func(s *server.Session, away bool) { d.write("%s away %v", name(s), away) }
	s.OnRename = func(s *server.Session, old string) { d.write("%s renamed from %s", name(s), old) }
	s.OnGroupChange = func(s *server.Session, g string, joined bool) { d.write("%s in %s %v", name(s), g, joined) }
}

// TestHooks follows a session from its beginning to its end.
func TestHooks(t *testing.T) {
	d := new(diary)
	inHub(t, func(s *server.Server) {
		allowAll(s)
		d.keep(s)
		s.Handler.Handle("note", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			d.write("%s says %s", m.From.Name, m.Body)
			return nil
		})
	}, func(t *testing.T, w *bubble, _ *received) {
		m := w.member("alice", inGroups("g"))
		require.NoError(t, m.link.Send(t.Context(), "note", channel.Raw, []byte("hello")))
		require.Equal(t, []string{"alice joined [g]", "alice says hello"}, d.read())
		_, err := m.rename("al")
		require.NoError(t, err)
		synctest.Wait() // hooks see the name that holds when they are called
		_, err = m.join("h")
		require.NoError(t, err)
		_, err = m.quit("g")
		require.NoError(t, err)
		synctest.Wait()
		_, err = m.rename("")
		require.NoError(t, err)
		m.cut()
		require.NoError(t, m.comeBack())
		require.Equal(t, []string{"al renamed from alice", "al in h true", "al in g false", "alice renamed from al", "alice away true",
			"alice away false"}, d.read())
		go func() { _ = m.session().CloseWithReason(channel.CodeKicked, "out") }()
		require.Equal(t, []string{"alice left: ended by the server: out"}, d.read())

		first := w.member("bob", nil)
		w.member("bob", nil)
		lines := d.read()
		require.ErrorIs(t, context.Cause(first.link.Context()), channel.CodeReplaced)
		require.Equal(t, "bob joined []", lines[0])
		require.ElementsMatch(t, []string{"bob joined []", "bob left: replaced by a newer session of the same key"}, lines[1:])
		w.member("carol", nil).cut()
		d.read()
		<-time.After(3 * time.Minute)
		require.Contains(t, d.read(), "carol left: the connection was lost: timed out: the client was away for too long")
		// Who is not let in has no events.
		require.NoError(t, w.Server.Close())
		_, err = w.tryMember("alice", nil, nil)
		require.Error(t, err)
		require.Equal(t, []string{"bob left: the server is shutting down"}, d.read())
	})
}

// TestHandlersWaitForOnJoin: nothing is handled before OnJoin has returned, not even of a client
// that has left meanwhile, and OnLeave comes after the last handler.
func TestHandlersWaitForOnJoin(t *testing.T) {
	d := new(diary)
	var enter, handle chan struct{}
	inHub(t, func(s *server.Server) {
		enter, handle = make(chan struct{}), make(chan struct{})
		d.keep(s)
		s.OnJoin = func(sess *server.Session) {
			d.write("joining")
			_ = sess.Send(context.Background(), "news", []byte("welcome"))
			<-enter
			d.write("joined")
		}
		s.Handler.Handle("slow", func(context.Context, channel.Conn, *channel.Message) error {
			<-handle
			d.write("handled")
			return nil
		})
	}, func(t *testing.T, w *bubble, _ *received) {
		m := w.member("alice", nil)
		require.NoError(t, m.link.Send(t.Context(), "slow", channel.Raw, nil))
		require.Equal(t, []string{"joining"}, d.read())
		require.Equal(t, []string{"welcome"}, m.got.all())
		require.NoError(t, m.session().Rename("al"))
		go func() { _ = m.link.Close(0, "") }()
		require.Empty(t, d.read())
		require.Equal(t, 1, w.Stats().Ending)
		close(enter)
		require.Equal(t, []string{"joined", "al renamed from alice"}, d.read())
		close(handle)
		require.Equal(t, []string{"handled", "al left: the other side closed the connection"}, d.read())
		require.Zero(t, w.Stats().Ending)
	})
}

// TestHooksBlock has a hook that takes its time: so many changes wait for it, one more is refused,
// and other sessions do not notice.
func TestHooksBlock(t *testing.T) {
	d := new(diary)
	var hold chan struct{}
	inHub(t, func(s *server.Server) {
		hold = make(chan struct{})
		allowAll(s)
		d.keep(s)
		s.OnGroupChange = func(sess *server.Session, g string, joined bool) {
			if sess.Peer().Name == "alice" {
				<-hold
			}
			d.write("%s %v", g, joined)
		}
	}, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		n := 0
		var err error
		for ; err == nil; n++ {
			if n%2 == 0 {
				_, err = alice.join("g")
			} else {
				_, err = alice.quit("g")
			}
			synctest.Wait()
		}
		require.ErrorIs(t, err, channel.CodeBusy)
		require.Equal(t, 1+64+1, n)
		require.ErrorIs(t, alice.session().Rename("al"), channel.CodeBusy)
		d.read()
		_, err = bob.join("b")
		require.NoError(t, err)
		require.Equal(t, []string{"b true"}, d.read())
		// Being away and back again is not told to who was not told of the first, however often.
		for range 100 {
			alice.cut()
			require.NoError(t, alice.comeBack())
			synctest.Wait()
		}
		alice.cut()
		close(hold)
		lines := d.read()
		require.Len(t, lines, 65+1)
		require.Equal(t, "alice away true", lines[65])
		for i, line := range lines[:65] {
			require.Equal(t, fmt.Sprint("g ", i%2 == 0), line)
		}
	})
}

// TestHooksPanic has hooks panic, and end their goroutines: the log says so, and all goes on.
func TestHooksPanic(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("no\nway") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			var log syncBuffer
			inHub(t, func(s *server.Server) {
				allowAll(s)
				s.Logger = slog.New(slog.NewTextHandler(&log, nil))
				s.OnJoin = func(*server.Session) { end() }
				s.OnLeave = func(*server.Session, error) { end() }
				s.OnAway = func(*server.Session, bool) { end() }
				s.OnRename = func(*server.Session, string) { end() }
				s.OnGroupChange = func(*server.Session, string, bool) { end() }
			}, func(t *testing.T, w *bubble, got *received) {
				m := w.member("alice", nil)
				m.say("x")
				require.Equal(t, []string{"x"}, got.all())
				_, err := m.rename("al")
				require.NoError(t, err)
				_, err = m.join("g")
				require.NoError(t, err)
				m.cut()
				require.NoError(t, m.comeBack())
				synctest.Wait()
				go func() { _ = m.session().Close() }()
				synctest.Wait()
				<-time.After(time.Minute)
				require.Zero(t, w.Stats().Sessions+w.Stats().Ending)
				if name == "goexit" {
					return
				}
				for _, hook := range []string{"OnJoin", "OnLeave", "OnAway", "OnRename", "OnGroupChange"} {
					require.Contains(t, log.String(), "hook="+hook+" peer=al")
				}
				require.Contains(t, log.String(), `panic="no\nway" stack="goroutine `)
			})
		})
	}
}

// TestShutdownWaitsForHooks, and not for requests that wait for something to happen.
func TestShutdownWaitsForHooks(t *testing.T) {
	var hold chan struct{}
	inHub(t, func(s *server.Server) {
		hold = make(chan struct{})
		s.OnLeave = func(*server.Session, error) { <-hold }
	}, func(t *testing.T, w *bubble, _ *received) {
		w.member("alice", nil)
		done := make(chan error, 1)
		go func() { done <- w.Shutdown(t.Context()) }()
		<-time.After(5 * time.Second)
		require.Empty(t, done)
		close(hold)
		require.NoError(t, <-done)
	})
}
