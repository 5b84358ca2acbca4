package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// noise is what strangers send to an open port.
func noise() map[string][]byte {
	random := make([]byte, 4096)
	rand.Read(random)
	return map[string][]byte{
		"nothing":          {},
		"random":           random,
		"a web browser":    []byte("GET / HTTP/1.1\r\nHost: hub.example\r\n\r\n"),
		"a TLS hello":      append([]byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03}, random[:500]...),
		"half a preamble":  []byte("PYSO"),
		"another version":  append([]byte("PYSOCK\x09\x00"), random[:100]...),
		"half a handshake": append([]byte("PYSOCK\x01\x00\x04\xc0"), random[:700]...),
		"a bad message 1":  append([]byte("PYSOCK\x01\x00\x04\xc0"), bytes.Repeat([]byte{0xff}, 1216)...),
		"a long message 1": append([]byte("PYSOCK\x01\x00\xff\xff"), random...),
	}
}

// TestStrangers sends what is no handshake: each is closed, the counters tell, and a client that is
// there notices nothing.
func TestStrangers(t *testing.T) {
	w := testworld.New(t, []string{"alice"}, withEcho)
	alice := w.Dial("alice", nil)
	for name, sent := range noise() {
		conn, err := net.Dial("tcp", w.Address)
		require.NoError(t, err, name)
		_, _ = conn.Write(sent)              // the server may have hung up in the middle of it
		_ = conn.(*net.TCPConn).CloseWrite() // likewise
		got, _ := io.ReadAll(conn)
		if name == "another version" {
			require.Equal(t, "PYSOCK\x01\x00", string(got), name)
		} else if name != "a bad message 1" {
			require.Empty(t, got, name)
		}
		conn.Close()
		m, err := alice.Request(t.Context(), "test", []byte(name))
		require.NoError(t, err, name)
		require.Equal(t, name, string(m.Body))
	}
	require.NoError(t, alice.Close())
	require.NoError(t, w.Server.Close())
	require.EqualValues(t, len(noise()), w.Server.Stats().HandshakesFailed)
}

// pipeListener is a net.Listener of in-memory connections.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial() net.Conn {
	a, b := net.Pipe()
	l.conns <- b
	return a
}

// TestSilence leaves connections hanging in the middle of their handshake: they end after its
// timeout, not before and not never.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server.Server{Keys: testworld.NewKey(t, keys.ServerName)}
		ln := newPipeListener()
		done := make(chan error, 1)
		go func() { done <- srv.Serve(context.Background(), ln) }()
		silent := ln.dial()
		half := ln.dial()
		go half.Write([]byte("PYSOCK\x01\x00\x04\xc0half a message"))
		synctest.Wait()
		require.Equal(t, 2, srv.Stats().Handshakes)
		for _, c := range []net.Conn{silent, half} {
			_, err := c.Read(make([]byte, 1))
			require.Error(t, err)
		}
		synctest.Wait()
		require.Zero(t, srv.Stats().Handshakes)
		require.EqualValues(t, 2, srv.Stats().HandshakesFailed)
		require.NoError(t, srv.Close())
		<-done
	})
}

// TestCrowd opens more connections than may be in their handshake: the oldest makes room, and an
// honest client still gets in.
func TestCrowd(t *testing.T) {
	w := testworld.New(t, []string{"alice"}, func(s *server.Server) {
		withEcho(s)
		s.Limits.MaxHandshakes = 8
	})
	for range 40 {
		conn, err := net.Dial("tcp", w.Address)
		require.NoError(t, err)
		defer conn.Close()
	}
	// Those that had to leave count until their goroutines have returned, so it may take more than one try.
	alice, err := w.TryDial("alice", nil)
	for tries := 0; err != nil && tries < 100; tries++ {
		alice, err = w.TryDial("alice", nil)
	}
	require.NoError(t, err)
	_, err = alice.Request(t.Context(), "test", nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, w.Server.Stats().HandshakesCrowded, uint64(30))
}

// TestBadFrames breaks the protocol behind a good handshake: the connection is closed with a
// reason, and nobody else notices.
func TestBadFrames(t *testing.T) {
	w := testworld.New(t, []string{"alice", "mallory"}, withEcho)
	alice := w.Dial("alice", nil)
	many := func(frame func(i uint32) []byte) (b []byte) {
		for i := range uint32(10_000) {
			b = append(b, frame(i)...)
		}
		return b
	}
	for name, frames := range map[string][]byte{
		"an unknown frame":     {0x77, 0, 0, 0, 0, 0, 0, 0},
		"an unknown channel":   wire.AppendMessage(nil, 5, 0, wire.MessageStart{}, []byte("x")),
		"a stream that is not": wire.AppendData(nil, 1, []byte("x")),
		"credit overflow": append(wire.AppendChannel(nil, 1, 0, wire.KindApplication, "test"),
			wire.AppendMessage(nil, 1, 0, wire.MessageStart{}, make([]byte, 70_000))...),
		"stream credit overflow": append(wire.AppendOpenStream(nil, 1, "x"), many(func(uint32) []byte {
			return wire.AppendData(nil, 1, make([]byte, 100))
		})...),
		"10,000 opens":    many(func(i uint32) []byte { return wire.AppendOpenStream(nil, 2*i+1, "x") }),
		"10,000 channels": many(func(i uint32) []byte { return wire.AppendChannel(nil, i%1024+1, 0, wire.KindApplication, "c") }),
	} {
		conn := w.Raw("mallory")
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			conn.Write(frames)
		}()
		r := lastReason(t, name, conn)
		require.EqualValues(t, wire.CodeProtocol, r.Code, name)
		require.NotEmpty(t, r.Text, name)
		conn.CloseNow()
		<-wrote
		_, err := alice.Request(t.Context(), "test", nil)
		require.NoError(t, err, name)
	}
}

// lastReason reads frames until CLOSE.
func lastReason(t *testing.T, name string, conn io.Reader) wire.Reason {
	t.Helper()
	for {
		h, payload := testworld.ReadFrame(t, conn)
		if h.Type == wire.TypeClose {
			r, err := wire.ParseReason(h.Type, payload)
			require.NoError(t, err, name)
			return r
		}
	}
}

// evilServer knows its clients and connects nobody: it answers pipes itself, and opens pipes in others' names.
type evilServer struct {
	t     *testing.T
	key   *keys.PrivateKey
	links chan *link.Link
}

func (e *evilServer) serve(conn net.Conn, name string) *link.Link {
	pending, err := secure.Accept(context.Background(), conn, &secure.Config{Key: e.key})
	require.NoError(e.t, err)
	welcome, err := (&wire.Welcome{MaxMessage: wire.DefaultMaxMessage, Name: name, Record: [wire.IDSize]byte{1}}).Append(nil)
	require.NoError(e.t, err)
	c, err := pending.Welcome(context.Background(), welcome)
	require.NoError(e.t, err)
	return link.New(c, &link.Config{
		Peer: &channel.Peer{Name: name},
		OpenPipe: func(s *link.Stream, open wire.PipeOpen) {
			go func() {
				// It has its own key, and nobody else's.
				_, err := secure.Accept(context.Background(), s, &secure.Config{Key: e.key,
					Pipe: &secure.Binding{ID: open.ID, Opener: open.Opener, Target: open.Target}})
				e.t.Log("the evil server's handshake:", err)
				e.links <- nil
			}()
		},
	})
}

// TestServerSwapsKeys has the server stand between two clients with a key of its own: both refuse.
func TestServerSwapsKeys(t *testing.T) {
	w := testworld.New(t, []string{"alice", "bob"}, nil)
	evil := &evilServer{t: t, key: testworld.NewKey(t, "evil").Private, links: make(chan *link.Link, 1)}
	for _, name := range []string{"alice", "bob"} {
		w.Files[name].Server.Key = evil.key.Public()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	var links []*link.Link
	for _, name := range []string{"alice", "bob"} {
		w.Files[name].Server.Address = ln.Addr().String()
		served := make(chan *link.Link)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				panic(err)
			}
			served <- evil.serve(conn, name)
		}()
		c := w.Dial(name, nil)
		l := <-served
		links = append(links, l)
		defer func() {
			l.Cut(channel.ErrClosed)
			c.Close()
			l.Wait()
		}()
		if name == "alice" {
			_, err := c.OpenPipe(t.Context(), "bob")
			var changed *keys.ChangedKeyError
			require.ErrorAs(t, err, &changed)
			require.Equal(t, w.Files["bob"].Public, changed.Known)
			require.Equal(t, evil.key.Public(), changed.Offered)
			<-evil.links
		}
	}
	// And towards bob it poses as alice.
	open := wire.PipeOpen{ID: [16]byte{1}, Opener: "alice", Target: "bob"}
	s, err := links[1].OpenPipe(open)
	require.NoError(t, err)
	hello, err := (&wire.Hello{MaxMessage: wire.DefaultMaxMessage}).Append(nil)
	require.NoError(t, err)
	_, err = secure.Initiate(t.Context(), s, &secure.Config{Key: evil.key, Hello: hello,
		Pipe:       &secure.Binding{ID: open.ID, Opener: "alice", Target: "bob"},
		VerifyPeer: func(keys.PublicKey) error { return nil }})
	var refused *secure.RefusedError
	require.ErrorAs(t, err, &refused)
	require.EqualValues(t, wire.CodeUnknownKey, refused.Code)
}

// tap records what goes through the server's sockets.
type tap struct {
	net.Listener
	mu  sync.Mutex
	all []byte
}

type tappedConn struct {
	net.Conn
	tap *tap
}

func (l *tap) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tappedConn{c, l}, nil
}

func (l *tap) add(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, b...)
}

func (c *tappedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.tap.add(b[:n])
	return n, err
}

func (c *tappedConn) Write(b []byte) (int, error) {
	c.tap.add(b)
	return c.Conn.Write(b)
}

// TestCapture looks for what must not be seen in all bytes on the sockets, and in the server's log.
func TestCapture(t *testing.T) {
	ctx := t.Context()
	var log bytes.Buffer
	w := testworld.New(t, []string{"alice", "bob"}, func(s *server.Server) {
		withEcho(s)
		s.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	wire := new(tap)
	address := w.Serve(func(ln net.Listener) net.Listener {
		wire.Listener = ln
		return wire
	})
	for _, f := range w.Files {
		f.Server.Address = address
	}
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	got := make(chan string, 1)
	bob.Handle("private-channel", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
		got <- string(m.Body)
		return nil
	})
	go bob.Run(ctx)
	const toServer, toBob = "a text for the server's eyes", "a text for bob's eyes"
	_, err := alice.Request(ctx, "test", []byte(toServer))
	require.NoError(t, err)
	require.NoError(t, alice.SendTo(ctx, "bob", "private-channel", []byte(toBob)))
	require.Equal(t, toBob, <-got)
	require.NoError(t, alice.Close())
	require.NoError(t, bob.Close())
	require.NoError(t, w.Server.Close())

	require.Greater(t, len(wire.all), 4000)
	secrets := []string{toServer, toBob, "private-channel", "test", "alice", "bob",
		string(w.Files["alice"].Public.Bytes()), string(w.Files["bob"].Public.Bytes()), string(w.Server.Keys.Public.Bytes())}
	for _, s := range secrets[:6] {
		require.False(t, bytes.Contains(wire.all, []byte(s)), "%q is on the wire", s)
		require.NotContains(t, log.String(), s)
	}
	for i, s := range secrets[6:] {
		require.False(t, bytes.Contains(wire.all, []byte(s)), "public key %d is on the wire", i)
	}
}
