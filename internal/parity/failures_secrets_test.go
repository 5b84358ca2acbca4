package parity_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// The server proves nothing: here one with another key is not told so much as who the client is.
func TestWrong_PySock_ServerProvesItself(t *testing.T) {
	w := hub(t, nil, "alice")
	impostor := hub(t, func(s *server.Server) {
		s.Keys.Clients = map[string]keys.PublicKey{"alice": w.Files["alice"].Public} // it knows alice
	})
	var p tap
	_, err := w.TryDial("alice", func(c *client.Config) {
		c.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return p.dial(ctx, network, impostor.Address)
		}
	})
	var changed *keys.ChangedKeyError
	require.ErrorAs(t, err, &changed)
	up, _, _ := p.seen()
	require.Less(t, len(up), 1300, "message 3, which has the client's key and hello, is not sent")
	require.NoError(t, impostor.Server.Close())
	require.Zero(t, impostor.Server.Stats().SessionsRefused+impostor.Server.Stats().SessionsBegun)
}

// It relays peers' keys unsigned: a server could give out another key for bob. Here whom a client's
// key file has is known by that.
func TestWrong_PySock_KeysAreNotTheServersWord(t *testing.T) {
	w := hub(t, func(s *server.Server) {
		s.Keys.Clients["bob"] = s.Keys.Clients["mallory"] // an evil server's list
		delete(s.Keys.Clients, "mallory")
	}, "alice", "bob", "mallory")
	mallory := *w.Files["mallory"]
	mallory.Name = "bob"
	evil := w.Dial("mallory", func(c *client.Config) { c.Keys = &mallory })
	evil.Fallback(func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		t.Errorf("mallory got %q", m.Body)
		return nil
	})
	run(t, evil)
	alice := w.Dial("alice", nil)
	err := alice.SendTo(t.Context(), "bob", "test", []byte("for bob alone"))
	var changed *keys.ChangedKeyError
	require.ErrorAs(t, err, &changed)
	info, err := alice.Lookup(t.Context(), "bob")
	require.NoError(t, err)
	require.True(t, info.Unverified, "what the server says of a key is marked so")
}

// glass is a proxy that has the private keys of a client and the server, and so sees what the
// server sees of that client's connection: all that the server's relay gets and gives.
type glass struct {
	client, server *keys.PrivateKey
	address        string

	mu   sync.Mutex
	seen []byte
}

func (g *glass) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	up, err := new(net.Dialer).DialContext(ctx, network, g.address)
	if err != nil {
		return nil, err
	}
	near, far := memnet.Pipe(memnet.Config{})
	go g.join(far, up) // ends when either side ends its connection
	return near, nil
}

func (g *glass) join(down, up net.Conn) {
	defer down.Close()
	defer up.Close()
	ctx := context.Background()
	pending, err := secure.Accept(ctx, down, &secure.Config{Key: g.server})
	if err != nil {
		return
	}
	toServer, err := secure.Initiate(ctx, up, &secure.Config{
		Key: g.client, Hello: pending.Hello(), VerifyPeer: func(keys.PublicKey) error { return nil },
	})
	if err != nil {
		return
	}
	toClient, err := pending.Welcome(ctx, toServer.Welcome())
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { g.pass(toServer, toClient) })
	both.Go(func() { g.pass(toClient, toServer) })
	both.Wait()
}

func (g *glass) pass(from, to *secure.Conn) {
	defer to.Close()
	for {
		b, err := from.ReadRecord()
		if err != nil {
			return
		}
		g.mu.Lock()
		g.seen = append(g.seen, b...)
		g.mu.Unlock()
		if _, err := to.Write(b); err != nil {
			return
		}
	}
}

func (g *glass) has(text string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return bytes.Contains(g.seen, []byte(text))
}

// So it can read every pipe. Here it cannot: what it sees of one has nothing of what is said in it.
func TestWrong_PySock_RelayCannotRead(t *testing.T) {
	w := hub(t, nil, "alice", "bob")
	w.Server.Handler.Handle("public", take)
	g := &glass{client: w.Files["alice"].Private, server: w.Server.Keys.Private, address: w.Address}
	alice := w.Dial("alice", func(c *client.Config) { c.DialContext = g.dial })
	bob := w.Dial("bob", nil)
	bob.Handle("letters", testworld.Echo)
	run(t, bob)
	require.NoError(t, alice.SendAcked(t.Context(), "public", []byte("the server may know this")))
	require.True(t, g.has("the server may know this"), "the proxy sees what the server does")

	p, err := alice.OpenPipe(t.Context(), "bob")
	require.NoError(t, err)
	m, err := p.Request(t.Context(), "letters", []byte("for bob alone"))
	require.NoError(t, err)
	require.Equal(t, "for bob alone", string(m.Body))
	require.False(t, g.has("for bob alone") || g.has("alone"), "neither the question nor the answer")
	require.False(t, g.has("letters"), "nor the channel")
	require.True(t, g.has("bob"), "it does know who opens a pipe to whom")
}

// A sender's name is whatever the message says. Here it is who proved the key.
func TestWrong_PySock_SenderIsProven(t *testing.T) {
	came := make(inbox, 1)
	w := hub(t, func(s *server.Server) { s.Handler.Handle("test", came.take) }, "alice", "mallory")
	alice := w.Dial("alice", nil)
	_, _, err := w.RawHello("mallory", func(h *wire.Hello) { h.Name = "alice" })
	var refused *secure.RefusedError
	require.ErrorAs(t, err, &refused)
	require.EqualValues(t, wire.CodeNameTaken, refused.Code)

	mallory := w.Dial("mallory", nil)
	forged := []byte(`{"sender_name": "alice", "channel": "test", "data": "give mallory my purse"}`)
	require.NoError(t, mallory.Send(t.Context(), "test", forged))
	m := came.next(t)
	require.Equal(t, "mallory", m.From.Name)
	require.Equal(t, w.Files["mallory"].Public, m.From.Key)
	report, err := mallory.Group("nobody").Send(t.Context(), "test", forged)
	require.ErrorIs(t, err, channel.CodeUnknownPeer)
	require.Zero(t, report)

	// Only a server says who sent to a group: from a client it is a breach of the protocol.
	require.NoError(t, mallory.Close())
	raw := w.Raw("mallory")
	head := wire.GroupHead{Name: "alice", Group: "friends"}
	head.Key = [wire.KeySize]byte(w.Files["alice"].Public.Bytes())
	b := wire.AppendChannel(nil, 1, 0, wire.KindGroup, "test")
	b = wire.AppendMessage(b, 1, wire.FlagFirst|wire.FlagLast, wire.MessageStart{}, append(head.Append(nil), "forged"...))
	_, err = raw.Write(b)
	require.NoError(t, err)
	require.EqualValues(t, wire.CodeProtocol, closeReason(t, raw).Code)
	require.Empty(t, came)
	require.NoError(t, alice.Context().Err())
}

// closeReason reads a connection up to why the other end closes it.
func closeReason(t *testing.T, r io.Reader) wire.Reason {
	t.Helper()
	for {
		h, payload := testworld.ReadFrame(t, r)
		if h.Type == wire.TypeClose {
			reason, err := wire.ParseReason(h.Type, payload)
			require.NoError(t, err)
			return reason
		}
	}
}
