package server_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// resumeOver comes with a token over a connection of the test's own making.
func resumeOver(t *testing.T, w *bubble, raw net.Conn, token asker) (*secure.Conn, error) {
	conn, _, err := ask(t.Context(), raw, w.files["alice"], token)
	return conn, err
}

// TestWelcomeLost loses the connection of a resume while the welcome is being written: the session
// is away as before, and its grace ends.
func TestWelcomeLost(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		m := w.member("alice", nil)
		sess := m.session()
		m.cut()
		<-time.After(time.Minute)
		raw := &interlude{Conn: w.ln.dial()} // which holds nothing: the server's write waits for ours to read
		raw.f = func() {
			synctest.Wait()
			require.Zero(t, w.Stats().Away, "it has been taken up")
			raw.Close()
		}
		_, err := resumeOver(t, w, raw, m.token(0, nil))
		require.Error(t, err)
		synctest.Wait()
		require.Equal(t, 1, w.Stats().Away)
		require.NoError(t, m.comeBack())
		m.say("1")
		require.Equal(t, []string{"1"}, got.all())

		m.cut()
		raw = &interlude{Conn: w.ln.dial()}
		raw.f = func() { synctest.Wait(); raw.Close() }
		_, err = resumeOver(t, w, raw, m.token(0, nil))
		require.Error(t, err)
		<-time.After(2 * time.Minute)
		synctest.Wait()
		require.ErrorIs(t, context.Cause(sess.Context()), channel.CodeTimeout)
	})
}

// TestResumedIsNotCrowded lets strangers come while a resume is being welcomed: it has made its
// way, and is not pushed out.
func TestResumedIsNotCrowded(t *testing.T) {
	inHub(t, func(s *server.Server) { s.Limits.MaxHandshakes = 1; s.Impatient() }, func(t *testing.T, w *bubble, got *received) {
		m := w.member("alice", nil)
		m.cut()
		raw := &interlude{Conn: w.ln.dial()}
		raw.f = func() {
			synctest.Wait() // the server writes the verdict
			for range 3 {
				defer w.ln.dial().Close()
				synctest.Wait()
			}
		}
		conn, err := resumeOver(t, w, raw, m.token(0, nil))
		require.NoError(t, err)
		conn.CloseNow()
	})
}

// TestResumeInDrain shuts the server down during the handshake of a resume: the session, which has
// a handler that runs, is not taken up any more.
func TestResumeInDrain(t *testing.T) {
	var k worker
	inBubble(t, k.setUp(server.Limits{}), func(t *testing.T, w *bubble) {
		m := w.member("alice", nil)
		m.say("1")
		down := make(chan error, 1)
		raw := &interlude{Conn: w.dial(), early: true}
		raw.f = func() {
			synctest.Wait()
			go func() { down <- w.Shutdown(context.Background()) }()
			synctest.Wait()
		}
		_, err := resumeOver(t, w, raw, m.token(0, nil))
		requireRefused(t, channel.CodeShutdown, err)
		require.NoError(t, m.link.Context().Err())
		close(k.release)
		require.NoError(t, <-down)
		<-m.link.Context().Done()
		require.ErrorIs(t, context.Cause(m.link.Context()), channel.CodeShutdown)
	})
}

// TestOvertaken has a resume be overtaken by another before its client has read the welcome.
func TestOvertaken(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		m := w.member("alice", nil)
		m.say("1")
		m.cut()
		over := m.conn.Handover()
		older := m.token(over.Position(), nil)
		over.Abort()
		slow := &interlude{Conn: w.dial()}
		slow.f = func() {
			synctest.Wait() // the server has written the older one's welcome
			require.NoError(t, m.comeBack())
		}
		conn, err := resumeOver(t, w, slow, older)
		if err == nil {
			_, err = io.Copy(io.Discard, conn)
			conn.CloseNow()
		}
		require.Error(t, err, "it was closed without an end")
		m.say("2")
		require.Equal(t, []string{"1", "2"}, got.all())
		require.EqualValues(t, 2, w.Stats().Resumed)
	})
}
