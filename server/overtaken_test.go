package server

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// hands are the two ends of a handshake that waits for its verdict.
type hands struct {
	pending *secure.Pending
	raw     net.Conn
	conn    *secure.Conn  // the client's, once done is closed and it was let in
	err     error         // the client's, likewise
	done    chan struct{} // closed when the client has its verdict
}

func shakeHands(t *testing.T, hub, client *keys.File) *hands {
	t.Helper()
	a, b := memnet.Pipe(memnet.Config{})
	h := &hands{raw: a, done: make(chan struct{})}
	go func() {
		defer close(h.done)
		h.conn, h.err = secure.Initiate(context.Background(), a,
			&secure.Config{Key: client.Private, VerifyPeer: func(keys.PublicKey) error { return nil }})
	}()
	var err error
	h.pending, err = secure.Accept(context.Background(), b, &secure.Config{Key: hub.Private})
	require.NoError(t, err)
	return h
}

// TestOvertakenBeforeItGoesOn takes a session up twice before the first goes on: that one's
// connection is closed without a verdict, and the second has the session, whichever comes to it
// first.
func TestOvertakenBeforeItGoesOn(t *testing.T) {
	for name, olderFirst := range map[string]bool{"the older goes on first": true, "the newer goes on first": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { overtake(t, olderFirst) })
		})
	}
}

func overtake(t *testing.T, olderFirst bool) {
	hub, alice := newKeyFile(t, keys.ServerName), newKeyFile(t, "alice")
	hub.Clients = map[string]keys.PublicKey{"alice": alice.Public}
	srv := &Server{Keys: hub}
	require.NoError(t, srv.start())

	first := shakeHands(t, hub, alice)
	hello := wire.Hello{MaxMessage: wire.DefaultMaxMessage, Features: wire.FeatureResume}
	srv.begin(placed(srv), first.pending, &hello)
	<-first.done
	require.NoError(t, first.err)
	welcome, err := wire.ParseWelcome(first.conn.Welcome())
	require.NoError(t, err)
	secret, err := resume.NewSecret(first.conn)
	require.NoError(t, err)
	sess, found := srv.Session("alice")
	require.True(t, found)

	type going struct {
		*hands
		hello    wire.Hello
		handover *resume.Handover
	}
	take := func(attempt uint64) *going {
		g := &going{hands: shakeHands(t, hub, alice), hello: hello}
		g.hello.Resume = &wire.Token{Session: welcome.Session, Attempt: attempt}
		g.hello.Resume.Proof = secret.ClientProof([resume.HashSize]byte(g.pending.HelloHash()), welcome.Session, attempt, 0)
		var err error
		_, g.handover, err = srv.takeUp(placed(srv), g.pending, g.hello.Resume)
		require.NoError(t, err)
		return g
	}
	older, newer := take(1), take(2)
	first.raw.(*memnet.Conn).Cut() // meanwhile
	synctest.Wait()
	require.Zero(t, srv.Stats().Away, "grace does not run while somebody is about to go on")
	for _, g := range []*going{older, newer} {
		if !olderFirst {
			g = map[*going]*going{older: newer, newer: older}[g]
		}
		srv.goOn(context.Background(), g.pending, &g.hello, sess, g.handover)
	}
	<-older.done
	require.Error(t, older.err)
	require.NotErrorAs(t, older.err, new(*secure.RefusedError))
	<-newer.done
	require.NoError(t, newer.err)
	require.EqualValues(t, 1, srv.Stats().Resumed)
	_, away := sess.Away()
	require.False(t, away)
	require.Zero(t, srv.Stats().Away)
	srv.mu.Lock()
	require.Zero(t, sess.handovers)
	srv.mu.Unlock()

	// It is away when that connection is lost, and not before.
	newer.raw.(*memnet.Conn).Cut()
	synctest.Wait()
	require.Equal(t, 1, srv.Stats().Away)
	require.NoError(t, srv.Close())
	<-sess.Context().Done()
	require.ErrorIs(t, context.Cause(sess.Context()), channel.CodeShutdown)
	first.conn.CloseNow()
	newer.conn.CloseNow()
}

// placed is a handshake that waits among the others.
func placed(srv *Server) *handshake {
	h := &handshake{ctx: context.Background(), conn: nowhere{}}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.handshakes.add(h)
	srv.handshakes.running-- // no goroutine is behind it
	return h
}

// nowhere is a connection without an address.
type nowhere struct{ net.Conn }

func (nowhere) RemoteAddr() net.Addr { return nil }
