package server_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// member is a client of the tests' own making that can resume, and can be made to do so wrongly.
type member struct {
	w       *bubble
	name    string
	raw     *memnet.Conn // the present connection, below all
	welcome wire.Welcome // the first
	secret  resume.Secret
	attempt uint64
	conn    *resume.Conn
	link    *link.Link
	mux     *channel.Mux
	pipes   chan *link.Stream  // that others have opened to it
	retry   chan time.Duration // what the server announced
	got     received           // what the server sent on the channel "news"
}

// member enters a client, with a hello that change, which may be nil, has made.
func (w *bubble) member(name string, change func(*wire.Hello)) *member {
	w.t.Helper()
	m, err := w.tryMember(name, nil, change)
	require.NoError(w.t, err)
	return m
}

// tryMember is member for a client that may not get in, and that has books or nil.
func (w *bubble) tryMember(name string, books *link.Books, change func(*wire.Hello)) (*member, error) {
	w.t.Helper()
	m := &member{w: w, name: name, retry: make(chan time.Duration, 1), pipes: make(chan *link.Stream, 10)}
	conn, welcome, err := m.shake(context.Background(), func(h *wire.Hello) {
		h.Features = wire.FeatureResume
		if change != nil {
			change(h)
		}
	})
	if err != nil {
		return nil, err
	}
	require.EqualValues(w.t, wire.FeatureResume, welcome.Features)
	require.False(w.t, welcome.Resumed)
	m.welcome = welcome
	m.secret, err = resume.NewSecret(conn)
	require.NoError(w.t, err)
	m.conn = resume.New(conn, &resume.Config{Retry: func(d time.Duration) { m.retry <- d }})
	m.mux = new(channel.Mux)
	m.mux.Handle("news", m.got.handle)
	m.link = link.New(m.conn, &link.Config{Initiator: true, Peer: &channel.Peer{Name: "server"}, Mux: m.mux, GroupMessages: true,
		Books: books, Services: w.services,
		OpenPipe: func(s *link.Stream, _ wire.PipeOpen) { s.Accept(); m.pipes <- s }})
	m.link.Run()
	w.t.Cleanup(m.leave)
	return m, nil
}

// leave ends the client without a word.
func (m *member) leave() {
	m.conn.Fail(nil)
	m.link.Cut(channel.ErrClosed)
	m.link.Wait()
}

// offer makes a hello of one that can resume.
func offer(h *wire.Hello) { h.Features = wire.FeatureResume }

// shake makes a connection and its handshake.
func (m *member) shake(ctx context.Context, change func(*wire.Hello)) (*secure.Conn, wire.Welcome, error) {
	raw, err := m.w.tryDial()
	if err != nil {
		return nil, wire.Welcome{}, err
	}
	conn, welcome, err := testworld.Enter(ctx, raw, m.w.files[m.name], change)
	if err == nil {
		m.raw = raw
	}
	return conn, welcome, err
}

// asker makes the token of a hello, for the handshake that has the hash before it.
type asker func(hash [resume.HashSize]byte) *wire.Token

// token is one that takes the session up again, but for what change, which may be nil, has done to it before the proof.
func (m *member) token(position uint64, change func(*wire.Token)) asker {
	m.attempt++
	t := &wire.Token{Session: m.welcome.Session, Attempt: m.attempt, Position: position}
	if change != nil {
		change(t)
	}
	return func(hash [resume.HashSize]byte) *wire.Token {
		t.Proof = m.secret.ClientProof(hash, t.Session, t.Attempt, t.Position)
		return t
	}
}

// ask is testworld.Enter for a client that comes with a token.
func ask(ctx context.Context, raw net.Conn, file *keys.File, token asker) (*secure.Conn, wire.Welcome, error) {
	conn, err := secure.Initiate(ctx, raw, &secure.Config{
		Key: file.Private, VerifyPeer: func(keys.PublicKey) error { return nil },
		HelloFor: func(hash []byte) ([]byte, error) {
			h := wire.Hello{MaxMessage: wire.DefaultMaxMessage, Name: file.Name, Features: wire.FeatureResume,
				Resume: token([resume.HashSize]byte(hash))}
			return h.Append(nil)
		},
	})
	if err != nil {
		return nil, wire.Welcome{}, err
	}
	welcome, err := wire.ParseWelcome(conn.Welcome())
	if err != nil {
		conn.CloseNow()
	}
	return conn, welcome, err
}

// show comes with a token, and nothing more. A session that is welcomed goes on without its client.
func (m *member) show(token asker) (*secure.Conn, wire.Welcome, error) {
	return m.showIn(context.Background(), token)
}

// showIn is show with a ctx.
func (m *member) showIn(ctx context.Context, token asker) (*secure.Conn, wire.Welcome, error) {
	raw, err := m.w.tryDial()
	if err != nil {
		return nil, wire.Welcome{}, err
	}
	conn, welcome, err := ask(ctx, raw, m.w.files[m.name], token)
	if err == nil {
		m.raw = raw
	}
	return conn, welcome, err
}

// comeBack resumes.
func (m *member) comeBack() error { return m.comeBackIn(context.Background()) }

// comeBackIn is comeBack with a ctx.
func (m *member) comeBackIn(ctx context.Context) error {
	over := m.conn.Handover()
	defer over.Abort()
	conn, welcome, err := m.showIn(ctx, m.token(over.Position(), nil))
	if err != nil {
		return err
	}
	proof := m.secret.ServerProof([resume.HashSize]byte(conn.HandshakeHash()), m.welcome.Session, m.attempt, welcome.Position)
	if !welcome.Resumed || welcome.Session != m.welcome.Session || !resume.Equal(proof, welcome.Proof) {
		conn.CloseNow()
		return errors.New("the server's welcome does not go on with the session")
	}
	if err := over.Attach(conn, welcome.Position); err != nil {
		conn.CloseNow()
		return err
	}
	return nil
}

// cut cuts the cable, and waits until the server has seen it.
func (m *member) cut() {
	m.raw.Cut()
	synctest.Wait()
}

// say sends on the channel "work", which need not be taken when it returns.
func (m *member) say(text string) {
	m.w.t.Helper()
	require.NoError(m.w.t, m.link.Send(context.Background(), "work", channel.Raw, []byte(text)))
}

// session is the client's session at the server.
func (m *member) session() *server.Session {
	m.w.t.Helper()
	sess, ok := m.w.Session(m.name)
	require.True(m.w.t, ok)
	return sess
}

// requireRefused requires that the server has refused a client with a code.
func requireRefused(t *testing.T, code channel.Code, err error, args ...any) *secure.RefusedError {
	t.Helper()
	var e *secure.RefusedError
	require.ErrorAs(t, err, &e, args...)
	require.Equal(t, code, channel.Code(e.Code), args...)
	return e
}

// refusal is the code of a refusal, if err is one.
func refusal(err error) (channel.Code, bool) {
	var e *secure.RefusedError
	if !errors.As(err, &e) {
		return 0, false
	}
	return channel.Code(e.Code), true
}

// received is what a handler was called with.
type received struct {
	mu    sync.Mutex
	texts []string
}

func (r *received) handle(_ context.Context, _ channel.Conn, m *channel.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, string(m.Body))
	return nil
}

// all is what has come so far.
func (r *received) all() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.texts)
}

// inHub calls f with a server that knows alice, bob and carol, and collects what is said on the channel "work".
func inHub(t *testing.T, change func(*server.Server), f func(t *testing.T, w *bubble, got *received)) {
	t.Helper()
	inHubOf(t, []string{"alice", "bob", "carol"}, change, f)
}

// inHubOf is inHub for clients of other names.
func inHubOf(t *testing.T, names []string, change func(*server.Server), f func(t *testing.T, w *bubble, got *received)) {
	t.Helper()
	got := new(received)
	inBubbleOf(t, names, func(s *server.Server) {
		s.Handler = new(channel.Mux)
		s.Handler.Handle("work", got.handle)
		if change != nil {
			change(s)
		}
	}, func(t *testing.T, w *bubble) { f(t, w, got) })
}
