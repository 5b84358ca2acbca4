package server_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// TestEndedWhileAway ends a session whose client is away: with its token the client is told why it
// may not come back, or gets nothing, or a new session. Its pipes end at once.
func TestEndedWhileAway(t *testing.T) {
	withoutAlice := func(w *bubble) *keys.File {
		list := *w.Keys
		list.Clients = map[string]keys.PublicKey{"bob": w.files["bob"].Public}
		return &list
	}
	for name, c := range map[string]struct {
		end  func(t *testing.T, w *bubble, sess *server.Session)
		code channel.Code
		text string
		slow bool // the application's own Close waits for the client
	}{
		"replaced": {end: func(t *testing.T, w *bubble, _ *server.Session) { w.mustEnter("alice", false) }, code: channel.CodeReplaced},
		"revoked": {end: func(t *testing.T, w *bubble, _ *server.Session) { require.NoError(t, w.Reload(withoutAlice(w))) },
			code: channel.CodeRevoked},
		"kicked": {end: func(t *testing.T, _ *bubble, sess *server.Session) {
			_ = sess.CloseWithReason(channel.CodeKicked, "out")
		},
			code: channel.CodeKicked, text: "out", slow: true},
		"the application": {end: func(t *testing.T, _ *bubble, sess *server.Session) {
			require.NoError(t, sess.Send(t.Context(), "news", nil))
			requireUntaken(t, 1, sess.CloseWithReason(300, "enough"))
		},
			code: 300, text: "enough", slow: true},
		"closed": {end: func(t *testing.T, _ *bubble, sess *server.Session) {
			require.NoError(t, sess.Close(), "there is nothing that it may have missed")
		},
			code: channel.CodeNoSession, slow: true},
	} {
		t.Run(name, func(t *testing.T) {
			inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
				alice, bob := w.member("alice", nil), w.member("bob", nil)
				pipe, err := bob.link.OpenPipe(wire.PipeOpen{Opener: "bob", Target: "alice"})
				require.NoError(t, err)
				synctest.Wait()
				sess := alice.session()
				alice.cut()
				began := time.Now()
				c.end(t, w, sess)
				<-sess.Context().Done()
				_, err = pipe.Read(make([]byte, 1))
				require.ErrorIs(t, err, channel.CodeGone)
				if !c.slow {
					require.Equal(t, began, time.Now(), "nothing was waited for")
				}
				synctest.Wait()

				newer, _ := w.Session("alice")
				other := &member{w: w, name: "bob"}
				for _, anew := range []bool{false, true} {
					if anew && c.code == channel.CodeNoSession {
						break // nothing is known of it
					}
					_, _, err = other.show(alice.token(0, func(t *wire.Token) { t.Anew = anew }))
					requireRefused(t, channel.CodeNoSession, err, "with another key it is as any other")
				}
				for _, anew := range []bool{false, true} {
					_, _, err = alice.show(alice.token(0, func(t *wire.Token) { t.Anew = anew }))
					if anew && c.code == channel.CodeNoSession {
						require.NoError(t, err)
						break
					}
					e := requireRefused(t, c.code, err)
					require.Equal(t, c.text, e.Text)
				}
				if c.code != channel.CodeNoSession {
					still, _ := w.Session("alice")
					require.Equal(t, newer, still, "nobody was disturbed")
				}

				// It is not remembered for ever.
				<-time.After(2 * time.Minute)
				_, _, err = alice.show(alice.token(0, nil))
				requireRefused(t, channel.CodeNoSession, err)
			})
		})
	}
}

// requireUntaken wants the error of a Close after which so many messages may be lost, without the
// word of the other side.
func requireUntaken(t *testing.T, n uint64, err error) {
	t.Helper()
	var gap *channel.GapError
	require.ErrorAs(t, err, &gap)
	require.Equal(t, n, gap.Sent-gap.Taken)
	require.ErrorAs(t, err, new(*channel.LostError))
}

// TestCloseUnheard closes a session whose connection leads nowhere, which nobody has noticed: what
// the client's application is not known to have taken is told.
func TestCloseUnheard(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		m := w.member("alice", nil)
		sess := m.session()
		require.NoError(t, sess.SendAcked(t.Context(), "news", []byte("1")))
		m.raw.Stall()
		for range 3 {
			require.NoError(t, sess.Send(t.Context(), "news", []byte("never")))
		}
		_, away := sess.Away()
		require.False(t, away)
		requireUntaken(t, 3, sess.Close())
		require.NoError(t, sess.Close(), "again")
	})
}

// TestCloseReachesWhoComesBack closes a session while its client is away, which comes back in time:
// it gets what was sent, and the reason.
func TestCloseReachesWhoComesBack(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		m := w.member("alice", nil)
		sess := m.session()
		m.cut()
		require.NoError(t, sess.Send(t.Context(), "news", []byte("last")))
		closed := make(chan error, 1)
		go func() { closed <- sess.CloseWithReason(300, "enough") }()
		<-time.After(time.Second)
		require.NoError(t, m.comeBack())
		<-m.link.Done()
		var e *channel.CloseError
		require.ErrorAs(t, context.Cause(m.link.Context()), &e)
		require.Equal(t, channel.Code(300), e.Code)
		require.Equal(t, []string{"last"}, m.got.all())
		require.NoError(t, <-closed)
	})
}

// TestResumeAgainst races a resume against what ends the session: either it goes on until it is
// told, or it is refused with the reason, and nothing is left over.
func TestResumeAgainst(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(w *bubble, sess *server.Session)
		codes []channel.Code
	}{
		"a newer session": {func(w *bubble, _ *server.Session) { w.mustEnter("alice", false) }, []channel.Code{channel.CodeReplaced}},
		"Reload": {func(w *bubble, _ *server.Session) {
			list := *w.Keys
			list.Clients = nil
			_ = w.Reload(&list)
		}, []channel.Code{channel.CodeRevoked}},
		"Kick": {func(w *bubble, sess *server.Session) { _ = sess.CloseWithReason(channel.CodeKicked, "") },
			[]channel.Code{channel.CodeKicked}},
		"Shutdown": {func(w *bubble, _ *server.Session) { _ = w.Shutdown(context.Background()) }, []channel.Code{channel.CodeShutdown}},
		"Close":    {func(w *bubble, _ *server.Session) { _ = w.Server.Close() }, []channel.Code{channel.CodeShutdown}},
		"grace":    {func(w *bubble, _ *server.Session) { <-time.After(2 * time.Minute) }, []channel.Code{channel.CodeNoSession}},
	} {
		t.Run(name, func(t *testing.T) {
			for round := range 6 {
				inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
					m := w.member("alice", nil)
					sess := m.session()
					if round%2 == 0 {
						m.cut()
					}
					var both sync.WaitGroup
					var err error
					both.Go(func() { c.end(w, sess) })
					both.Go(func() {
						if name == "grace" {
							<-time.After(2 * time.Minute)
						}
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						defer cancel()
						err = m.comeBackIn(ctx)
					})
					both.Wait()
					synctest.Wait()
					if e, ok := refusal(err); ok {
						require.Contains(t, c.codes, e)
						return
					}
					if err == nil && name != "grace" {
						// It was let in before: then it hears of the end, or loses its connection again.
						synctest.Wait()
						select {
						case <-m.link.Context().Done():
						default:
							require.ErrorIs(t, sess.Context().Err(), context.Canceled)
						}
					}
				})
			}
		})
	}
}

// TestPipeToWhoIsAway opens a pipe to a client that is away: it waits for it. Others' pipes stay as they are.
func TestPipeToWhoIsAway(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		open := func() io.ReadWriteCloser {
			s, err := bob.link.OpenPipe(wire.PipeOpen{Opener: "bob", Target: "alice"})
			require.NoError(t, err)
			return s
		}
		before := open()
		_, err := before.Write([]byte("first "))
		require.NoError(t, err)
		synctest.Wait()
		alice.cut()
		during := open()
		for _, p := range []io.ReadWriteCloser{before, during} {
			_, err = p.Write([]byte("then"))
			require.NoError(t, err)
			require.NoError(t, p.Close())
		}
		<-time.After(time.Second)
		require.Len(t, alice.pipes, 1)
		require.NoError(t, alice.comeBack())
		for _, want := range []string{"first then", "then"} {
			text, err := io.ReadAll(<-alice.pipes)
			require.NoError(t, err)
			require.Equal(t, want, string(text))
		}
	})
}

// TestSilentClient has a client that is not heard of any more: it is found out in bounded time, and is away then.
func TestSilentClient(t *testing.T) {
	for name, c := range map[string]struct{ keepAlive, found time.Duration }{
		"as a rule": {0, 30 * time.Second},
		"KeepAlive": {3 * time.Second, 13 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inHub(t, func(s *server.Server) { s.KeepAlive = c.keepAlive }, func(t *testing.T, w *bubble, got *received) {
				m := w.member("alice", nil)
				sess := m.session()
				<-time.After(10 * time.Minute)
				require.Zero(t, w.Stats().Away, "a client that only says that it is there, is")
				require.NotZero(t, sess.RoundTrip())
				require.Equal(t, sess.RoundTrip(), sess.Stats().RoundTrip)
				m.say("1")
				synctest.Wait()
				m.raw.Vanish()
				began := time.Now()
				<-time.After(c.found - time.Millisecond)
				require.Zero(t, w.Stats().Away)
				<-time.After(time.Minute)
				since, away := sess.Away()
				require.True(t, away)
				require.Equal(t, c.found, since.Sub(began))
				require.NoError(t, m.comeBack())
				m.say("2")
				require.Equal(t, []string{"1", "2"}, got.all())
			})
		})
	}
}

// TestLostWhileKicked replaces a session whose client reads nothing, and then loses its connection:
// it does not wait for it any longer.
func TestLostWhileKicked(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		m := w.member("alice", nil)
		m.raw.Stall()
		newer := w.member("alice", nil)
		synctest.Wait()
		require.Equal(t, 1, w.Stats().Ending)
		began := time.Now()
		m.cut()
		require.Zero(t, w.Stats().Ending)
		require.Equal(t, began, time.Now())
		require.NoError(t, newer.link.Context().Err())
	})
}

// TestRenewal has connections that are too old, or have carried too much: the server cuts them, and
// the session goes on.
func TestRenewal(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		bytes uint64
		load  func(m *member)
	}{
		"time": {time.Hour, 0, func(*member) { <-time.After(10*time.Minute + 30*time.Second) }},
		"bytes": {0, 100_000, func(m *member) {
			m.say(string(bytes.Repeat([]byte("x"), 60_000)))
			m.say(string(bytes.Repeat([]byte("x"), 60_000)))
			<-time.After(time.Minute)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inHub(t, func(s *server.Server) { s.Renew(c.after, c.bytes, time.Minute) }, func(t *testing.T, w *bubble, got *received) {
				alice, bob := w.member("alice", nil), w.member("bob", nil)
				sess := alice.session()
				if name == "time" {
					<-time.After(50 * time.Minute)
					bob.cut()
					require.NoError(t, bob.comeBack()) // so that its connection is young
				}
				before := len(got.all())
				require.Zero(t, w.Stats().Away)
				c.load(alice)
				synctest.Wait()
				_, away := sess.Away()
				require.True(t, away)
				_, away = bob.session().Away()
				require.False(t, away)
				require.NoError(t, alice.comeBack())
				alice.say("1")
				require.Greater(t, len(got.all()), before)
				<-time.After(time.Minute)
				_, away = sess.Away()
				require.False(t, away, "the new one is young")
			})
		})
	}
}
