package server

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// TestRenewalOfWhatIsThere resumes a session, and another resume is taken up at that very moment
// and then comes to nothing: the connection that the session goes on over is cut in its time all
// the same.
func TestRenewalOfWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, alice := newKeyFile(t, keys.ServerName), newKeyFile(t, "alice")
		hub.Clients = map[string]keys.PublicKey{"alice": alice.Public}
		srv := &Server{Keys: hub}
		srv.Renew(time.Hour, 0, time.Minute)
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
		sess, _ := srv.Session("alice")
		token := func(h *hands, attempt uint64) *wire.Token {
			k := &wire.Token{Session: welcome.Session, Attempt: attempt}
			k.Proof = secret.ClientProof([resume.HashSize]byte(h.pending.HelloHash()), k.Session, attempt, 0)
			return k
		}

		older, newer := shakeHands(t, hub, alice), shakeHands(t, hub, alice)
		_, handover, err := srv.takeUp(placed(srv), older.pending, token(older, 1))
		require.NoError(t, err)
		_, err = older.pending.WelcomeWith(context.Background(), nil, func(c *secure.Conn) {
			require.NoError(t, handover.Attach(c, 0))
			_, overtakes, err := srv.takeUp(placed(srv), newer.pending, token(newer, 2))
			require.NoError(t, err)
			newer.pending.Close()
			srv.handedOver(sess, overtakes)
		})
		require.NoError(t, err)
		srv.handedOver(sess, handover)
		<-older.done
		require.NoError(t, older.err)
		stream := resume.New(older.conn, nil)
		go stream.Read(make([]byte, 1)) // what comes is signs of life

		<-time.After(time.Hour - time.Second)
		_, away := sess.Away()
		require.False(t, away)
		<-time.After(time.Minute + time.Second)
		_, away = sess.Away()
		require.True(t, away)
		require.NoError(t, srv.Close())
		<-sess.Context().Done()
		stream.Fail(nil)
		first.conn.CloseNow()
		<-newer.done
	})
}
