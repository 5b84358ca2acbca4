package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

func knownServers(t *testing.T) *keys.KnownServers {
	known, err := keys.OpenKnownServers(filepath.Join(t.TempDir(), "known_servers"))
	require.NoError(t, err)
	return known
}

func (p people) knownPeers(t *testing.T, name string) *keys.KnownPeers {
	known, err := keys.OpenKnownPeers(filepath.Join(t.TempDir(), "known_peers"), p.Files[name].Public, p.Address)
	require.NoError(t, err)
	return known
}

type people struct{ *testworld.World }

func newPeople(t *testing.T, names ...string) people { return people{testworld.New(t, names, nil)} }

func TestServerOnFirstUse(t *testing.T) {
	w := newPeople(t, "alice")
	w.Files["alice"].Server.Key = keys.PublicKey{}
	_, err := w.TryDial("alice", nil)
	require.ErrorIs(t, err, client.ErrUnknownServer)

	known := knownServers(t)
	learn := func(c *client.Config) { c.KnownServers = known }
	require.NoError(t, w.Dial("alice", learn).Close())
	key, ok, err := known.Lookup(w.Address)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, w.Server.Keys.Public, key)
	require.NoError(t, w.Dial("alice", learn).Close())

	// Somebody else at the same address.
	require.NoError(t, known.Forget(w.Address))
	require.NoError(t, known.Remember(w.Address, w.Files["alice"].Public))
	_, err = w.TryDial("alice", learn)
	var changed *keys.ChangedKeyError
	require.ErrorAs(t, err, &changed)
	require.Equal(t, w.Server.Keys.Public, changed.Offered)
}

func TestPeerOnFirstUse(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice", "bob")
	bobs := w.Files["bob"].Public
	delete(w.Files["alice"].Peers, "bob")
	bob := w.Dial("bob", nil)
	known := w.knownPeers(t, "alice")
	alice := w.Dial("alice", func(c *client.Config) { c.KnownPeers = known })
	p, err := alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)
	require.True(t, p.Peer().Unverified)
	require.Equal(t, bobs, p.Peer().Key)
	q, err := bob.AcceptPipe(ctx)
	require.NoError(t, err)
	require.False(t, q.Peer().Unverified)

	// The same name with another key is refused from now on.
	require.NoError(t, known.Forget("bob"))
	require.NoError(t, known.Remember("bob", w.Server.Keys.Public))
	_, err = alice.OpenPipe(ctx, "bob")
	var changed *keys.ChangedKeyError
	require.ErrorAs(t, err, &changed)
	require.NoError(t, p.Context().Err())
}

func TestStrangers(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice", "bob")
	delete(w.Files["bob"].Peers, "alice")
	alice := w.Dial("alice", nil)
	w.Dial("bob", nil)
	_, err := alice.OpenPipe(ctx, "bob")
	require.ErrorIs(t, err, channel.CodeRefused)

	known := w.knownPeers(t, "bob")
	bob := w.Dial("bob", func(c *client.Config) { c.KnownPeers, c.AcceptStrangers = known, true })
	_, err = alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)
	q, err := bob.AcceptPipe(ctx)
	require.NoError(t, err)
	require.True(t, q.Peer().Unverified)

	_, err = client.Dial(ctx, "", &client.Config{Keys: w.Files["bob"], AcceptStrangers: true})
	require.ErrorContains(t, err, "KnownPeers")
}

func TestPeerWithAnotherKey(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice", "bob")
	w.Files["bob"].Peers["alice"] = w.Server.Keys.Public
	alice := w.Dial("alice", nil)
	w.Dial("bob", nil)
	_, err := alice.OpenPipe(ctx, "bob")
	require.ErrorIs(t, err, channel.CodeUnknownKey)
}

func TestBothOpenAtOnce(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice", "bob")
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	type got struct{ at, from, text string }
	arrived := make(chan got, 100)
	for _, c := range []*client.Client{alice, bob} {
		c.Handle("news", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			arrived <- got{c.Name(), m.From.Name, string(m.Body)}
			return nil
		})
		go c.Run(ctx)
	}
	var sending sync.WaitGroup
	for range 5 {
		sending.Go(func() {
			if err := alice.SendTo(ctx, "bob", "news", []byte("a")); err != nil {
				panic(err)
			}
		})
		sending.Go(func() {
			if err := bob.SendTo(ctx, "alice", "news", []byte("b")); err != nil {
				panic(err)
			}
		})
	}
	sending.Wait()
	counts := map[got]int{}
	for range 10 {
		counts[<-arrived]++
	}
	require.Equal(t, map[got]int{{"bob", "alice", "a"}: 5, {"alice", "bob", "b"}: 5}, counts)
	require.LessOrEqual(t, len(alice.Pipes()), 2)
}

func TestAnswerOnThePipe(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice", "bob")
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	bob.Handle("ask", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		return from.Send(ctx, "answer", append(m.Body, '!'))
	})
	answer := make(chan string, 1)
	alice.Handle("answer", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		_, pipe := from.(*client.Pipe)
		if pipe {
			answer <- string(m.Body)
		}
		return nil
	})
	go alice.Run(ctx)
	go bob.Run(ctx)
	require.NoError(t, alice.SendTo(ctx, "bob", "ask", []byte("there")))
	require.Equal(t, "there!", <-answer)
	require.Len(t, bob.Pipes(), 1)
}

func TestStreamsThroughAPipe(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice", "bob")
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	ln, err := bob.Listen("copy")
	require.NoError(t, err)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			panic(err)
		}
		io.Copy(conn, conn)
		conn.Close()
	}()
	p, err := alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)
	_, err = p.OpenStream(ctx, "nobody")
	require.ErrorIs(t, err, channel.CodeNoListener)
	conn, err := p.OpenStream(ctx, "copy")
	require.NoError(t, err)
	require.Equal(t, "bob/copy", conn.RemoteAddr().String())
	who, ok := channel.PeerOf(conn)
	require.True(t, ok)
	require.Equal(t, w.Files["bob"].Public, who.Key)

	// What is for peers is not for the server, and the other way round.
	sess, ok := w.Server.Session("bob")
	require.True(t, ok)
	_, err = sess.OpenStream(ctx, "copy")
	require.ErrorIs(t, err, channel.CodeNoListener)
	_, err = bob.ListenServer("admin")
	require.NoError(t, err)
	_, err = sess.OpenStream(ctx, "admin")
	require.NoError(t, err)
	_, err = p.OpenStream(ctx, "admin")
	require.ErrorIs(t, err, channel.CodeNoListener)

	sent := make([]byte, 3<<20)
	for i := range sent {
		sent[i] = byte(i * i >> 3)
	}
	go func() {
		if _, err := conn.Write(sent); err != nil {
			panic(err)
		}
		conn.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, len(sent), len(got))
	require.Equal(t, sent, got)
	require.NoError(t, conn.Close())
}

func TestDialErrors(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice")
	_, err := client.Dial(ctx, "", nil)
	require.Error(t, err)
	_, err = client.Dial(ctx, "", &client.Config{Keys: &keys.File{}})
	require.ErrorContains(t, err, "private key")

	nowhere := *w.Files["alice"]
	nowhere.Server = nil
	_, err = client.Dial(ctx, "", &client.Config{Keys: &nowhere})
	require.ErrorContains(t, err, "no address")

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ln.Close()
	_, err = client.Dial(ctx, ln.Addr().String(), &client.Config{Keys: w.Files["alice"]})
	var op *net.OpError
	require.ErrorAs(t, err, &op)

	stopped, stop := context.WithCancel(ctx)
	stop()
	_, err = client.Dial(stopped, "", &client.Config{Keys: w.Files["alice"]})
	require.ErrorIs(t, err, context.Canceled)

	_, err = client.Dial(ctx, "", &client.Config{Keys: w.Files["alice"], Groups: []string{"a\nb"}})
	require.Error(t, err)
	_, err = client.Dial(ctx, "", &client.Config{Keys: w.Files["alice"], Groups: []string{"users"}})
	require.ErrorIs(t, err, channel.CodeRefused)
}

func TestBadNames(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice")
	alice := w.Dial("alice", nil)
	for _, name := range []string{"", "a b", "a\nb", "\x1b[31mred", "server", "a/b", "\u202egnp"} {
		_, err := alice.OpenPipe(ctx, name)
		require.Error(t, err, "%q", name)
	}
	for _, name := range []string{"", "a b", "a\nb", "\x1b[31mred", "\xff"} {
		require.Error(t, alice.Send(ctx, name, nil), "%q", name)
		_, err := alice.OpenStream(ctx, name)
		require.Error(t, err, "%q", name)
		_, err = alice.Listen(name)
		require.Error(t, err, "%q", name)
	}
	require.NoError(t, alice.Context().Err())
}

func TestClosedClient(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice", "bob")
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	p, err := alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)
	ln, err := alice.Listen("x")
	require.NoError(t, err)
	require.NoError(t, alice.Close())
	require.NoError(t, alice.Close())
	for name, err := range map[string]error{
		"send":   alice.Send(ctx, "x", nil),
		"flush":  func() error { _, err := alice.Receive(ctx); return err }(),
		"open":   func() error { _, err := alice.OpenPipe(ctx, "bob"); return err }(),
		"pipe":   p.Send(ctx, "x", nil),
		"accept": func() error { _, err := ln.Accept(); return err }(),
		"listen": func() error { _, err := alice.Listen("y"); return err }(),
		"run":    alice.Run(ctx),
	} {
		require.ErrorIs(t, err, net.ErrClosed, name)
	}
	q, err := bob.AcceptPipe(ctx)
	require.NoError(t, err)
	_, err = q.Receive(ctx)
	var closed *channel.CloseError
	require.True(t, errors.As(err, &closed) || errors.Is(err, channel.CodeGone), "%v", err)
}

func TestPolicy(t *testing.T) {
	ctx := t.Context()
	w := testworld.New(t, []string{"alice", "bob"}, func(s *server.Server) {
		s.AllowPipe = func(from, to channel.Peer) error {
			if from.Name == "alice" {
				return &channel.Error{Code: channel.CodeRefused, Text: "not to " + to.Name}
			}
			return nil
		}
		s.AllowGroups = func(p channel.Peer, groups []string) error { return nil }
	})
	alice := w.Dial("alice", nil)
	bob := w.Dial("bob", func(c *client.Config) { c.Groups = []string{"b", "a", "b"} })
	_, err := alice.OpenPipe(ctx, "bob")
	require.ErrorIs(t, err, channel.CodeRefused)
	require.ErrorContains(t, err, "not to bob")
	_, err = bob.OpenPipe(ctx, "alice")
	require.NoError(t, err)
	sess, ok := w.Server.Session("bob")
	require.True(t, ok)
	require.Equal(t, []string{"a", "b"}, sess.Peer().Groups)
}

// TestUnfinishedHandshakes has the server open pipes in one name and never go on: another peer still gets through.
func TestUnfinishedHandshakes(t *testing.T) {
	ctx := t.Context()
	w := newPeople(t, "alice", "bob", "carol")
	alice := w.Dial("alice", nil)
	bob := w.Dial("bob", nil)
	conn := w.Raw("carol")
	for i := range uint32(20) {
		open := wire.PipeOpen{ID: [16]byte{byte(i)}, Opener: "carol", Target: "bob"}
		_, err := conn.Write(open.Append(nil, 2*i+1))
		require.NoError(t, err)
	}
	refused := 0
	for refused < 16 {
		h, _ := testworld.ReadFrame(t, conn)
		if h.Type == wire.TypeReset {
			refused++
		}
	}
	p, err := alice.OpenPipe(ctx, "bob")
	require.NoError(t, err)
	q, err := bob.AcceptPipe(ctx)
	require.NoError(t, err)
	require.Equal(t, "alice", q.Peer().Name)
	require.NoError(t, p.Close())
}

func TestAcceptPipeAfterRun(t *testing.T) {
	w := newPeople(t, "alice")
	alice := w.Dial("alice", nil)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorIs(t, alice.Run(stopped), context.Canceled)
	_, err := alice.AcceptPipe(t.Context())
	require.ErrorIs(t, err, client.ErrRunning)
}
