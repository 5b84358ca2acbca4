package server_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
)

// badToken is a token that is no good.
type badToken struct {
	as     string // who comes; alice if empty
	change func(*wire.Token)
	forge  func(*wire.Token)            // after the proof
	hash   func(*[resume.HashSize]byte) // before it
	code   channel.Code                 // 0 for a new session
}

var badTokens = map[string]badToken{
	"a wrong proof":                 {forge: func(t *wire.Token) { t.Proof[31] ^= 1 }, code: channel.CodeNoSession},
	"a proof for another position":  {forge: func(t *wire.Token) { t.Position-- }, code: channel.CodeNoSession},
	"a proof for another attempt":   {forge: func(t *wire.Token) { t.Attempt++ }, code: channel.CodeNoSession},
	"a proof for another handshake": {hash: func(h *[resume.HashSize]byte) { h[0] ^= 1 }, code: channel.CodeNoSession},
	"a proof for no handshake":      {hash: func(h *[resume.HashSize]byte) { clear(h[:]) }, code: channel.CodeNoSession},
	"a wrong proof, anew": {change: func(t *wire.Token) { t.Anew = true }, forge: func(t *wire.Token) { t.Proof[0] ^= 1 },
		code: channel.CodeNoSession},
	"another key":                         {as: "bob", code: channel.CodeNoSession},
	"another key, anew":                   {as: "bob", change: func(t *wire.Token) { t.Anew = true }, code: channel.CodeNoSession},
	"a position beyond":                   {change: func(t *wire.Token) { t.Position++ }, code: channel.CodeProtocol},
	"a position far beyond":               {change: func(t *wire.Token) { t.Position = 1<<64 - 1 }, code: channel.CodeProtocol},
	"a position before what was told":     {change: func(t *wire.Token) { t.Position = 0 }, code: channel.CodeProtocol},
	"the attempt once more":               {change: func(t *wire.Token) { t.Attempt = 1 }, code: channel.CodeNoSession},
	"an unknown id":                       {change: func(t *wire.Token) { t.Session[3] ^= 1 }, code: channel.CodeNoSession},
	"an unknown id and another key":       {as: "bob", change: func(t *wire.Token) { t.Session[3] ^= 1 }, code: channel.CodeNoSession},
	"an unknown id and another key, anew": {as: "bob", change: func(t *wire.Token) { t.Session[3] ^= 1; t.Anew = true }},
	"a bad position and an old attempt":   {change: func(t *wire.Token) { t.Position, t.Attempt = 0, 1 }, code: channel.CodeNoSession},
	"a bad position and a wrong proof": {change: func(t *wire.Token) {
		t.Position = 0
	}, forge: func(t *wire.Token) { t.Proof[0] ^= 1 }, code: channel.CodeNoSession},
	"an id of zeros": {change: func(t *wire.Token) { t.Session = [16]byte{} }, code: channel.CodeNoSession},
	"the highest attempt, a wrong position": {change: func(t *wire.Token) { t.Attempt, t.Position = 1<<64-1, 0 },
		code: channel.CodeProtocol},
}

// TestBadTokens comes with each kind of token that is no good, while the session's client is there
// and while it is away. None disturbs it.
func TestBadTokens(t *testing.T) {
	for name, c := range badTokens {
		for _, away := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, away %v", name, away), func(t *testing.T) {
				inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
					m := w.member("alice", nil)
					sess := m.session()
					m.cut()
					require.NoError(t, m.comeBack()) // attempt 1
					m.say("1")
					require.NoError(t, sess.SendAcked(t.Context(), "news", []byte("a")))
					synctest.Wait()
					<-time.After(time.Minute) // so that all is acknowledged
					synctest.Wait()
					over := m.conn.Handover()
					position := over.Position()
					over.Abort()
					if away {
						m.cut()
					}
					raw := m.raw

					m.attempt = 1
					token := m.token(position, c.change)
					comes := &member{w: w, name: "alice"}
					if c.as != "" {
						comes.name = c.as
					}
					conn, welcome, err := comes.show(func(hash [resume.HashSize]byte) *wire.Token {
						if c.hash != nil {
							c.hash(&hash)
						}
						k := token(hash)
						if c.forge != nil {
							c.forge(k)
						}
						return k
					})
					if c.code == 0 {
						require.NoError(t, err)
						require.False(t, welcome.Resumed)
						conn.CloseNow()
					} else {
						e := requireRefused(t, c.code, err)
						if c.code == channel.CodeNoSession {
							require.Empty(t, e.Text, "nothing tells an unknown id from a wrong proof")
						}
						require.EqualValues(t, 1, w.Stats().ResumesRefused)
					}

					// The session goes on as it was.
					require.Equal(t, sess, m.session())
					_, isAway := sess.Away()
					require.Equal(t, away, isAway)
					m.raw, m.attempt = raw, 1
					if away {
						require.NoError(t, m.comeBack())
					}
					m.say("2")
					require.NoError(t, sess.SendAcked(t.Context(), "news", []byte("b")))
					require.Equal(t, []string{"1", "2"}, got.all())
					require.Equal(t, []string{"a", "b"}, m.got.all())
				})
			})
		}
	}
}

// TestBadAcknowledgement acknowledges what was never sent: that ends the session with a reason, and nobody else's.
func TestBadAcknowledgement(t *testing.T) {
	inHub(t, nil, func(t *testing.T, w *bubble, got *received) {
		bob := w.member("bob", nil)
		alice := &member{w: w, name: "alice"}
		conn, _, err := alice.shake(t.Context(), offer)
		require.NoError(t, err)
		sess := alice.session()
		_, err = conn.Write([]byte{1, 0, 0, 0, 0, 0, 1, 0, 0}) // ACK 65536
		require.NoError(t, err)
		flags := make([]byte, 1)
		_, err = conn.Read(flags)
		require.NoError(t, err)
		require.Zero(t, flags[0])
		r := lastReason(t, "ack", conn)
		require.EqualValues(t, wire.CodeProtocol, r.Code)
		conn.CloseNow()
		<-sess.Context().Done()
		synctest.Wait()
		bob.say("1")
		require.Equal(t, []string{"1"}, got.all())
		require.Equal(t, 1, w.Stats().Sessions)
	})
}
