package server_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

func withEcho(s *server.Server) {
	s.Handler = new(channel.Mux)
	s.Handler.Handle("test", testworld.Echo)
}

func TestEcho(t *testing.T) {
	ctx := t.Context()
	w := testworld.New(t, []string{"alice"}, withEcho)
	c := w.Dial("alice", nil)
	require.Equal(t, "alice", c.Name())
	require.NoError(t, c.Send(ctx, "test", []byte("Hello, World!")))
	m, err := c.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "Hello, World!", string(m.Body))
	require.Equal(t, "server", m.From.Name)

	m, err = c.Request(ctx, "test", []byte("12"))
	require.NoError(t, err)
	require.Equal(t, "12", string(m.Body))
	require.NoError(t, c.Close())
}

func TestPipe(t *testing.T) {
	ctx := t.Context()
	w := testworld.New(t, []string{"alice", "bob"}, nil)
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	p, err := alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)
	q, err := bob.AcceptPipe(ctx)
	require.NoError(t, err)
	require.Equal(t, p.SafetyNumber(), q.SafetyNumber())
	require.Equal(t, "alice", q.Peer().Name)
	require.False(t, q.Peer().Unverified)

	require.NoError(t, p.Send(ctx, "news", []byte("for bob alone")))
	m, err := q.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "for bob alone", string(m.Body))
	require.NoError(t, p.Flush(ctx))
	require.NoError(t, q.CloseWithReason(channel.CodeApplication, "enough"))
	<-p.Context().Done()
	var closed *channel.CloseError
	require.ErrorAs(t, context.Cause(p.Context()), &closed)
	require.Equal(t, "enough", closed.Text)
}

func TestSendToUsesOnePipe(t *testing.T) {
	ctx := t.Context()
	w := testworld.New(t, []string{"alice", "bob"}, nil)
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	got := make(chan string, 10)
	bob.Handle("news", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		got <- from.Peer().Name + " " + string(m.Body)
		return nil
	})
	go bob.Run(ctx)
	for _, text := range []string{"1", "2", "3"} {
		require.NoError(t, alice.SendTo(ctx, "bob", "news", []byte(text)))
		require.Equal(t, "alice "+text, <-got)
	}
	require.Len(t, alice.Pipes(), 1)
	require.EqualValues(t, 1, w.Server.Stats().PipesBegun)
}

func TestWhyNoPipe(t *testing.T) {
	ctx := t.Context()
	w := testworld.New(t, []string{"alice", "bob", "carol"}, nil)
	alice := w.Dial("alice", nil)
	w.Files["alice"].Peers["nobody"] = testworld.NewKey(t, "nobody").Public

	_, err := alice.OpenPipe(ctx, "stranger")
	require.ErrorIs(t, err, channel.CodeUnknownPeer)
	_, err = alice.OpenPipe(ctx, "nobody")
	require.ErrorIs(t, err, channel.CodeUnknownPeer)
	_, err = alice.OpenPipe(ctx, "bob")
	require.ErrorIs(t, err, channel.CodeNotConnected)

	w.Dial("carol", func(c *client.Config) { c.NoPipes = true })
	_, err = alice.OpenPipe(ctx, "carol")
	require.ErrorIs(t, err, channel.CodeRefused)

	w.Dial("bob", nil)
	for range 16 {
		_, err = alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
	}
	_, err = alice.OpenPipe(ctx, "bob")
	require.ErrorIs(t, err, channel.CodeBusy)
}

func TestWhoGetsIn(t *testing.T) {
	w := testworld.New(t, []string{"alice", "bob"}, nil)
	bob := w.Dial("bob", nil)

	mallory := testworld.NewKey(t, "mallory")
	mallory.Server = w.Files["alice"].Server
	w.Files["mallory"] = mallory
	_, err := w.TryDial("mallory", nil)
	require.ErrorIs(t, err, channel.CodeUnknownKey)

	claims := *w.Files["alice"]
	claims.Name = "bob"
	w.Files["claims"] = &claims
	_, err = w.TryDial("claims", nil)
	require.ErrorIs(t, err, channel.CodeNameTaken)

	pinned := *w.Files["alice"]
	pinned.Server = &keys.ServerRef{Address: w.Address, Key: mallory.Public}
	w.Files["pinned"] = &pinned
	_, err = w.TryDial("pinned", nil)
	var changed *keys.ChangedKeyError
	require.ErrorAs(t, err, &changed)
	require.Equal(t, w.Server.Keys.Public, changed.Offered)
	require.NoError(t, bob.Context().Err())
}

func TestNewestSessionWins(t *testing.T) {
	w := testworld.New(t, []string{"alice"}, nil)
	older := w.Dial("alice", nil)
	errand := w.Dial("alice", func(c *client.Config) { c.Transient = true })
	require.NoError(t, older.Context().Err())
	newer := w.Dial("alice", nil)
	<-older.Context().Done()
	require.ErrorIs(t, context.Cause(older.Context()), channel.CodeReplaced)
	require.NoError(t, newer.Context().Err())
	require.NoError(t, errand.Context().Err())
}

// once lets a client and its pipes end with their first session.
func once(c *client.Config) { c.NoReconnect = true }

func TestReload(t *testing.T) {
	ctx := t.Context()
	w := testworld.New(t, []string{"alice", "bob", "carol"}, nil)
	alice, bob, carol := w.Dial("alice", once), w.Dial("bob", once), w.Dial("carol", once)
	p, err := alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)
	q, err := alice.OpenPipe(ctx, "carol")
	require.NoError(t, err)

	list := *w.Server.Keys
	list.Clients = map[string]keys.PublicKey{"alice": w.Files["alice"].Public, "carol": w.Files["carol"].Public}
	require.NoError(t, w.Server.Reload(&list))
	<-bob.Context().Done()
	require.ErrorIs(t, context.Cause(bob.Context()), channel.CodeRevoked)
	<-p.Context().Done()
	require.ErrorIs(t, context.Cause(p.Context()), channel.CodeGone)
	require.NoError(t, q.Context().Err())
	require.NoError(t, carol.Context().Err())
	_, err = w.TryDial("bob", nil)
	require.ErrorIs(t, err, channel.CodeUnknownKey)
	require.Error(t, w.Server.Reload(w.Files["alice"]))
	require.Error(t, w.Server.Reload(nil))

	// A file made by a program may leave the public key out.
	other := testworld.NewKey(t, "server")
	other.Public = keys.PublicKey{}
	require.ErrorContains(t, w.Server.Reload(other), "another identity")
	same := list
	same.Public = keys.PublicKey{}
	require.NoError(t, w.Server.Reload(&same))
}

func TestShutdownDrains(t *testing.T) {
	ctx := t.Context()
	began, finish := make(chan struct{}), make(chan struct{})
	w := testworld.New(t, []string{"alice"}, func(s *server.Server) {
		s.Handler = new(channel.Mux)
		s.Handler.Handle("slow", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			close(began)
			<-finish
			return m.Reply(ctx, []byte("done"))
		})
	})
	c := w.Dial("alice", once)
	answer := make(chan error, 1)
	go func() {
		m, err := c.Request(ctx, "slow", nil)
		if err == nil && string(m.Body) != "done" {
			err = channel.CodeInternal
		}
		answer <- err
	}()
	<-began
	down := make(chan error, 1)
	go func() { down <- w.Server.Shutdown(ctx) }()
	close(finish)
	require.NoError(t, <-answer)
	require.NoError(t, <-down)
	<-c.Context().Done()
	require.ErrorIs(t, context.Cause(c.Context()), channel.CodeShutdown)
}

// TestAsksBeforeItServes asks a server for what there is while another goroutine lets it begin to serve.
func TestAsksBeforeItServes(t *testing.T) {
	srv := &server.Server{Keys: testworld.NewKey(t, keys.ServerName)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), newPipeListener()) }()
	for range srv.Sessions() {
		t.Error("a session")
	}
	_, found := srv.Session("alice")
	require.False(t, found)
	require.Zero(t, srv.Stats())
	require.NoError(t, srv.Close())
	require.ErrorIs(t, <-done, server.ErrServerClosed)
}
