package client_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// liar is a server of the test's own making, that welcomes as the test wants it to.
type liar struct {
	t    *testing.T
	key  *keys.File
	net  *network
	host *host

	before, hash [resume.HashSize]byte // of the handshake of the last client: before its hello, and at the end
}

func newLiar(t *testing.T) *liar {
	l := &liar{t: t, key: testworld.NewKey(t, keys.ServerName), net: &network{hosts: new(sync.Map)}}
	l.host = l.net.listen("hub:1")
	return l
}

// client is one that is about to connect.
func (l *liar) client() *client.Config {
	f := testworld.NewKey(l.t, "alice")
	f.Server = &keys.ServerRef{Address: "hub:1", Key: l.key.Public}
	return &client.Config{Keys: f, Logger: silent(), DialContext: l.net.dial}
}

// welcome answers the next client.
func (l *liar) welcome(say func(*wire.Hello) *wire.Welcome) (*secure.Conn, wire.Hello) {
	raw, err := l.host.Accept()
	require.NoError(l.t, err)
	pending, err := secure.Accept(l.t.Context(), raw, &secure.Config{Key: l.key.Private})
	require.NoError(l.t, err)
	hello, err := wire.ParseHello(pending.Hello())
	require.NoError(l.t, err)
	l.before, l.hash = [resume.HashSize]byte(pending.HelloHash()), [resume.HashSize]byte(pending.HandshakeHash())
	w := say(&hello)
	w.Features = wire.FeatureResume
	if w.MaxMessage == 0 {
		w.MaxMessage = wire.DefaultMaxMessage
	}
	if w.Name == "" {
		w.Name = "alice"
	}
	b, err := w.Append(nil)
	require.NoError(l.t, err)
	conn, err := pending.Welcome(l.t.Context(), b)
	require.NoError(l.t, err)
	l.t.Cleanup(func() { conn.CloseNow() })
	return conn, hello
}

func fresh(id byte) func(*wire.Hello) *wire.Welcome {
	return func(*wire.Hello) *wire.Welcome {
		return &wire.Welcome{Session: [wire.IDSize]byte{id}, Grace: 120, Record: [wire.IDSize]byte{id}}
	}
}

// TestLies has a server, with the right key, say what cannot be: the client does not go on with the
// session over such a connection.
func TestLies(t *testing.T) {
	for name, lie := range map[string]struct {
		say  func(l *liar, secret *resume.Secret, h *wire.Hello) *wire.Welcome
		over bool // the client gives the session up
	}{
		"without the secret": {func(_ *liar, _ *resume.Secret, h *wire.Hello) *wire.Welcome {
			return &wire.Welcome{Session: h.Resume.Session, Resumed: true}
		}, true},
		"an old proof": {func(l *liar, s *resume.Secret, h *wire.Hello) *wire.Welcome {
			return &wire.Welcome{Session: h.Resume.Session, Resumed: true,
				Proof: s.ServerProof(l.hash, h.Resume.Session, h.Resume.Attempt-1, 0)}
		}, true},
		"a proof for another handshake": {func(l *liar, s *resume.Secret, h *wire.Hello) *wire.Welcome {
			return &wire.Welcome{Session: h.Resume.Session, Resumed: true, Proof: s.ServerProof([resume.HashSize]byte{}, h.Resume.Session,
				h.Resume.Attempt, 0)}
		}, true},
		"a proof for the handshake before the hello": {func(l *liar, s *resume.Secret, h *wire.Hello) *wire.Welcome {
			return &wire.Welcome{Session: h.Resume.Session, Resumed: true,
				Proof: s.ServerProof(l.before, h.Resume.Session, h.Resume.Attempt, 0)}
		}, true},
		"the client's own proof": {func(l *liar, s *resume.Secret, h *wire.Hello) *wire.Welcome {
			return &wire.Welcome{Session: h.Resume.Session, Resumed: true, Proof: h.Resume.Proof}
		}, true},
		"more than was sent": {func(l *liar, s *resume.Secret, h *wire.Hello) *wire.Welcome {
			return &wire.Welcome{Session: h.Resume.Session, Resumed: true, Position: 1,
				Proof: s.ServerProof(l.hash, h.Resume.Session, h.Resume.Attempt, 1)}
		}, true},
		"other limits": {func(l *liar, s *resume.Secret, h *wire.Hello) *wire.Welcome {
			proof := s.ServerProof(l.hash, h.Resume.Session, h.Resume.Attempt, 0)
			return &wire.Welcome{Session: h.Resume.Session, Resumed: true, MaxMessage: wire.DefaultMaxMessage + 1, Proof: proof}
		}, true},
		"another session": {func(l *liar, s *resume.Secret, h *wire.Hello) *wire.Welcome {
			id := [wire.IDSize]byte{7}
			return &wire.Welcome{Session: id, Resumed: true, Proof: s.ServerProof(l.hash, id, h.Resume.Attempt, 0)}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLiar(t)
				var alice *client.Client
				dialed := make(chan error, 1)
				go func() {
					var err error
					alice, err = client.Dial(context.Background(), "", l.client())
					dialed <- err
				}()
				first, hello := l.welcome(fresh(1))
				require.NoError(t, <-dialed)
				t.Cleanup(func() { alice.Close() })
				require.Nil(t, hello.Resume)
				secret, err := resume.NewSecret(first)
				require.NoError(t, err)
				l.net.cut()
				_, hello = l.welcome(func(h *wire.Hello) *wire.Welcome { return lie.say(l, &secret, h) })
				require.EqualValues(t, 1, hello.Resume.Attempt)
				require.True(t, hello.Resume.Anew)
				instance := hello.Instance
				_, hello = l.welcome(fresh(2))
				require.Equal(t, lie.over, hello.Resume == nil)
				require.Equal(t, instance, hello.Instance)
				await(t, alice, session(2))
			})
		})
	}
}

func TestWelcomeOfAnotherKind(t *testing.T) {
	record := [wire.IDSize]byte{1}
	for name, c := range map[string]struct {
		welcome wire.Welcome
		want    string
	}{
		"resumed at first": {wire.Welcome{Resumed: true}, "resumed a session that was not asked for"},
		"another name":     {wire.Welcome{Name: "bob", Record: record}, `"bob"`},
		"bad name":         {wire.Welcome{Name: "a b", Record: record}, "the name that the server gave us"},
		"no record":        {wire.Welcome{}, "no record of the instance"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLiar(t)
				dialed := make(chan error, 1)
				go func() {
					_, err := client.Dial(context.Background(), "", l.client())
					dialed <- err
				}()
				l.welcome(func(*wire.Hello) *wire.Welcome { return &c.welcome })
				require.ErrorContains(t, <-dialed, c.want)
			})
		})
	}
}

// TestRenamed is told another name than in the first session.
func TestRenamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLiar(t)
		cfg := l.client()
		cfg.Keys.Name = "" // whatever the server has
		dialed := make(chan *client.Client, 1)
		go func() {
			alice, err := client.Dial(context.Background(), "", cfg)
			if err != nil {
				panic(err)
			}
			dialed <- alice
		}()
		l.welcome(fresh(1))
		alice := <-dialed
		t.Cleanup(func() { alice.Close() })
		l.net.cut()
		l.welcome(func(*wire.Hello) *wire.Welcome { return &wire.Welcome{Name: "ann", Record: [wire.IDSize]byte{2}} })
		require.ErrorContains(t, alice.Run(t.Context()), `"ann", and "alice" before`)
	})
}

// TestLostBeforeItsWelcome retries with a higher attempt.
func TestLostBeforeItsWelcome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLiar(t)
		dialed := make(chan *client.Client, 1)
		go func() {
			alice, err := client.Dial(context.Background(), "", l.client())
			if err != nil {
				panic(err)
			}
			dialed <- alice
		}()
		first, _ := l.welcome(fresh(1))
		alice := <-dialed
		t.Cleanup(func() { alice.Close() })
		secret, err := resume.NewSecret(first)
		require.NoError(t, err)
		<-time.After(time.Second)
		l.net.kind = func(int) memnet.Config { return memnet.Config{CutAfter: 1300} } // in message 3
		l.net.cut()
		for range 5 {
			raw, err := l.host.Accept()
			require.NoError(t, err)
			_, err = secure.Accept(t.Context(), raw, &secure.Config{Key: l.key.Private})
			require.Error(t, err)
		}
		l.net.heal()
		_, hello := l.welcome(func(h *wire.Hello) *wire.Welcome {
			require.GreaterOrEqual(t, h.Resume.Attempt, uint64(6))
			require.Equal(t, secret.ClientProof(l.before, h.Resume.Session, h.Resume.Attempt, h.Resume.Position), h.Resume.Proof)
			return &wire.Welcome{Session: h.Resume.Session, Resumed: true, Proof: secret.ServerProof(l.hash, h.Resume.Session,
				h.Resume.Attempt,
				0)}
		})
		require.Zero(t, hello.Resume.Position)
		await(t, alice, session(1))
	})
}
