package parity_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// `server(secure, file)`, `Sserver`: a server configured by one YAML file with its keys.
func TestPySock_ServerFromFile(t *testing.T) {
	dir := t.TempDir()
	own, alice := testworld.NewKey(t, keys.ServerName), testworld.NewKey(t, "alice")
	own.Listen, own.Clients = "127.0.0.1:0", map[string]keys.PublicKey{"alice": alice.Public}
	require.NoError(t, own.Create(filepath.Join(dir, "server.yaml"), nil))

	file, err := keys.Load(filepath.Join(dir, "server.yaml"))
	require.NoError(t, err)
	ln, err := net.Listen("tcp", file.Listen)
	require.NoError(t, err)
	srv := &server.Server{Keys: file, Handler: new(channel.Mux)}
	srv.Handler.Handle("test", testworld.Echo)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()

	alice.Server = &keys.ServerRef{Address: ln.Addr().String(), Key: file.Public}
	require.NoError(t, alice.Create(filepath.Join(dir, "alice.yaml"), nil))
	alice, err = keys.Load(filepath.Join(dir, "alice.yaml"))
	require.NoError(t, err)
	c, err := client.Dial(ctx, "", &client.Config{Keys: alice})
	require.NoError(t, err)
	m, err := c.Request(ctx, "test", []byte("Hello, World!"))
	require.NoError(t, err)
	require.Equal(t, "Hello, World!", string(m.Body))
	require.NoError(t, c.Close())
	stop()
	require.NoError(t, <-served)
}

// `client(client_name, file, …)`: the name is its identity there. Here the key is, and the server binds the name to it.
func TestPySock_NameIsALabel(t *testing.T) {
	w := hub(t, nil, "alice", "bob")
	came := make(inbox, 1)
	w.Server.Handler.Handle("test", came.take)
	alice := w.Dial("alice", nil)
	require.NoError(t, alice.Send(t.Context(), "test", nil))
	from := came.next(t).From
	require.Equal(t, "alice", from.Name)
	require.Equal(t, w.Files["alice"].Public, from.Key)

	as := func(f *keys.File, name string) error {
		renamed := *f
		renamed.Name = name
		_, err := w.TryDial("bob", func(c *client.Config) { c.Keys = &renamed })
		return err
	}
	require.ErrorIs(t, as(w.Files["bob"], "alice"), channel.CodeNameTaken, "another's name")
	require.ErrorIs(t, as(w.Files["bob"], "bobby"), channel.CodeNameTaken, "a name of his own choice")
	stranger := testworld.NewKey(t, "alice")
	stranger.Server = w.Files["alice"].Server
	require.ErrorIs(t, as(stranger, "alice"), channel.CodeUnknownKey, "the name without the key")
	require.NoError(t, as(w.Files["bob"], "bob"))
	require.Equal(t, w.Files["alice"].Public, session(t, w, "alice").Peer().Key)
}

// `.SERVER(address, port, listeners)`: bind and serve, with a connection limit that is enforced.
func TestPySock_Server(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	own := testworld.NewKey(t, keys.ServerName)
	own.Open = true
	srv := &server.Server{Keys: own, Logger: silent(), Limits: server.Limits{MaxSessions: 2}}
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe(ctx, "127.0.0.1:0") }()
	for len(srv.Addrs()) == 0 {
		runtime.Gosched() // it listens in a moment
	}
	dial := func(name string) (*client.Client, error) {
		f := testworld.NewKey(t, name)
		f.Server = &keys.ServerRef{Address: srv.Addrs()[0].String(), Key: own.Public}
		return client.Dial(ctx, "", &client.Config{Keys: f, Logger: silent()})
	}
	alice, err := dial("alice")
	require.NoError(t, err)
	bob, err := dial("bob")
	require.NoError(t, err)
	_, err = dial("carol")
	require.ErrorIs(t, err, channel.CodeLimit)
	require.NoError(t, bob.Close())
	require.NoError(t, alice.Close())
	stop()
	require.NoError(t, <-served)
}

// `.CLIENT(address, port, timeout)`: connect, and wait at most timeout.
func TestPySock_ClientTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := testworld.NewKey(t, "alice")
		f.Server = &keys.ServerRef{Address: "hub:1", Key: testworld.NewKey(t, keys.ServerName).Public}
		cfg := &client.Config{Keys: f, DialContext: func(context.Context, string, string) (net.Conn, error) {
			near, _ := memnet.Pipe(memnet.Config{}) // nobody is at the other end
			return near, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		_, err := client.Dial(ctx, "", cfg)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(begun))

		begun, cfg.Timeout = time.Now(), time.Second
		_, err = client.Dial(t.Context(), "", cfg)
		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(begun))
	})
}

// `.CREATE_CHANNEL(name or list)`: register a channel.
func TestPySock_CreateChannel(t *testing.T) {
	w := hub(t, nil, "alice")
	came := map[string]inbox{"news": make(inbox, 1), "weather": make(inbox, 1)}
	for name, box := range came {
		w.Server.Handler.Handle(name, box.take)
		require.Panics(t, func() { w.Server.Handler.Handle(name, box.take) }, "a name has one handler")
	}
	alice := w.Dial("alice", nil)
	for name, box := range came {
		require.NoError(t, alice.Send(t.Context(), name, []byte("on "+name)))
		require.Equal(t, "on "+name, string(box.next(t).Body))
	}
	require.NoError(t, alice.Send(t.Context(), "sports", nil))
	require.ErrorIs(t, alice.Flush(t.Context()), channel.CodeNoHandler)
}

// `.LISTEN(channel, function, args)`: run a function for what arrives on a channel; or pull it, one
// by one or in a loop.
func TestPySock_Listen(t *testing.T) {
	w := hub(t, nil, "alice", "bob")
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	toAlice, toBob := session(t, w, "alice"), session(t, w, "bob")

	said := make(chan string, 3)
	args := "an argument is what the function closes over: "
	alice.Handle("test", func(_ context.Context, from channel.Conn, m *channel.Message) error {
		said <- args + string(m.Body)
		return nil
	})
	run(t, alice)
	require.NoError(t, toAlice.Send(t.Context(), "test", []byte("1")))
	require.Equal(t, args+"1", next(t, said))

	for _, text := range []string{"1", "2", "3"} {
		require.NoError(t, toBob.Send(t.Context(), "test", []byte(text)))
	}
	m, err := bob.Receive(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1", string(m.Body))
	var texts []string
	for m := range bob.Messages(t.Context(), "test") {
		if texts = append(texts, string(m.Body)); len(texts) == 2 {
			break
		}
	}
	require.Equal(t, []string{"2", "3"}, texts)
}

// The `data` dict, sender_name, channel, data: a received message, whose sender is proven.
func TestPySock_Data(t *testing.T) {
	w := hub(t, nil, "alice", "bob")
	grade := channel.Of[int]("grade")
	check := func(m *channel.Message) {
		require.Equal(t, "alice", m.From.Name)
		require.Equal(t, w.Files["alice"].Public, m.From.Key)
		require.False(t, m.From.Unverified)
		require.Equal(t, "grade", m.Channel)
		n, err := grade.Decode(m)
		require.NoError(t, err)
		require.Equal(t, 100, n)
	}
	came := make(inbox, 1)
	w.Server.Handler.Handle("grade", came.take)
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	require.NoError(t, grade.Send(t.Context(), alice, 100))
	check(came.next(t))

	accepted := accept(t, bob)
	p, err := alice.OpenPipe(t.Context(), "bob")
	require.NoError(t, err)
	require.NoError(t, grade.Send(t.Context(), p, 100))
	m, err := next(t, accepted).Receive(t.Context())
	require.NoError(t, err)
	check(m)
}

// accept takes the next pipe that a peer opens.
func accept(t *testing.T, c *client.Client) <-chan *client.Pipe {
	accepted := make(chan *client.Pipe, 1)
	go func() { // ends with the client
		if p, err := c.AcceptPipe(t.Context()); err == nil {
			accepted <- p
		}
	}()
	return accepted
}

// `.SEND(channel, data)` and `.SEND(target, channel, data)`: on client, session and pipe, str,
// bytes, int, float, list, tuple, dict, set; and an error, never a silent drop.
func TestPySock_Send(t *testing.T) {
	type pair struct {
		X int `cbor:"x"`
		Y int `cbor:"y"`
	}
	w := hub(t, nil, "alice", "bob")
	came := make(inbox, 1)
	w.Server.Handler.Handle("data", came.take)
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	bob.Handle("data", came.take)
	run(t, bob)
	p, err := alice.OpenPipe(t.Context(), "bob")
	require.NoError(t, err)

	data := channel.Of[any]("data")
	for what, conn := range map[string]channel.Conn{"client": alice, "session": session(t, w, "bob"), "pipe": p} {
		for _, v := range []struct{ sent, got any }{
			{"grüße", "grüße"},                                                              // str
			{[]byte{0, 0xff, '\n'}, []byte{0, 0xff, '\n'}},                                  // bytes
			{-1 << 62, int64(-1 << 62)},                                                     // int
			{uint64(math.MaxUint64), uint64(math.MaxUint64)},                                // int
			{math.Pi, math.Pi},                                                              // float
			{[]any{1, "two", 3.5}, []any{int64(1), "two", 3.5}},                             // list
			{[2]string{"a", "b"}, []any{"a", "b"}},                                          // tuple
			{pair{1, -2}, map[string]any{"x": int64(1), "y": int64(-2)}},                    // tuple, with names
			{map[string]any{"k": []int{1}}, map[string]any{"k": []any{int64(1)}}},           // dict
			{map[string]struct{}{"a": {}}, map[string]any{"a": map[string]any{}}},           // set
			{map[int]bool{7: true, -8: true}, map[any]any{int64(7): true, int64(-8): true}}, // set
		} {
			require.NoError(t, data.Send(t.Context(), conn, v.sent), what)
			got, err := came.next(t).Value()
			require.NoError(t, err, what)
			require.Equal(t, v.got, got, what)
		}
		require.NoError(t, conn.Send(t.Context(), "nobody", nil), "it is queued")
		require.ErrorIs(t, conn.Flush(t.Context()), channel.CodeNoHandler, what)
		require.ErrorIs(t, conn.Send(t.Context(), "nobody", nil), channel.CodeNoHandler, what)
		require.Error(t, data.Send(t.Context(), conn, func() {}), "what is no value")
	}
	_, there := w.Server.Session("carol")
	require.False(t, there, "there is no session to send on")
	require.NoError(t, alice.Close())
	require.ErrorIs(t, alice.Send(t.Context(), "data", nil), channel.ErrClosed)
	require.ErrorIs(t, p.Send(t.Context(), "data", nil), channel.ErrClosed)
}

// `MTCL` / `MPCL`: callbacks in threads or processes. Here each channel has its order, channels go
// side by side, and so do messages of one if it is asked for.
func TestPySock_Threads(t *testing.T) {
	w := hub(t, nil, "alice")
	const n = 4
	var all sync.WaitGroup // of the n handlers that must be there at once
	all.Add(n)
	done := make(chan struct{}, n)
	w.Server.Handler.HandleConcurrent("parallel", n, func(context.Context, channel.Conn, *channel.Message) error {
		all.Done()
		all.Wait()
		done <- struct{}{}
		return nil
	})
	var busy sync.Mutex
	order := make(chan byte, 100)
	w.Server.Handler.Handle("ordered", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		if !busy.TryLock() {
			return errors.New("two at once")
		}
		defer busy.Unlock()
		order <- m.Body[0]
		return nil
	})
	w.Server.Handler.OnError(func(e channel.ErrorEvent) { t.Error(e.Err) })
	waits := make(chan struct{})
	w.Server.Handler.Handle("slow", func(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
		select {
		case <-waits:
		case <-ctx.Done():
		}
		return nil
	})
	alice := w.Dial("alice", nil)
	require.NoError(t, alice.Send(t.Context(), "slow", nil), "and the others do not wait for it")
	for range n {
		require.NoError(t, alice.Send(t.Context(), "parallel", nil))
	}
	for i := range byte(100) {
		require.NoError(t, alice.Send(t.Context(), "ordered", []byte{i}))
	}
	for range n {
		next(t, done)
	}
	for i := range byte(100) {
		require.Equal(t, i, next(t, order))
	}
	close(waits)
}

// `secure=False`: not offered. There is no plaintext mode, on either side.
func TestPySock_NoPlaintext(t *testing.T) {
	w := hub(t, nil, "alice")
	w.Server.Handler.Fallback(func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		t.Errorf("it took %q", m.Body)
		return nil
	})
	raw, err := net.Dial("tcp", w.Address)
	require.NoError(t, err)
	defer raw.Close()
	_, err = io.WriteString(raw, strings.Repeat(`{"sender_name": "alice", "channel": "test", "data": "Hello"}`+"\n", 100))
	require.NoError(t, err)
	got, _ := io.ReadAll(raw) // it may be reset, as not all was read
	require.Empty(t, got, "the server says nothing to who does not speak the protocol")

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	heard := make(chan []byte, 1)
	go func() { // ends with the connection
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "Hello, which encryption would you like? None?\n") // the client may hang up in it
		b, _ := io.ReadAll(conn)
		heard <- b
	}()
	_, err = w.TryDial("alice", func(c *client.Config) { c.Addresses = nil; c.Keys = at(c.Keys, ln.Addr()) })
	require.Error(t, err)
	require.NotContains(t, string(next(t, heard)), "alice")
}

// at is a key file for the same server somewhere else.
func at(f *keys.File, address net.Addr) *keys.File {
	moved := *f
	moved.Server = &keys.ServerRef{Address: address.String(), Key: f.Server.Key}
	return &moved
}

// go_shiSock's `Start/Listen/Send/Run/Close(name)`: the author's own Go port.
func TestPySock_GoPort(t *testing.T) {
	w := hub(t, nil, "alice", "bob") // Start
	got := make(inbox, 1)
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	alice.Handle("test", got.take) // Listen
	ran := make(chan error, 1)
	go func() { ran <- alice.Run(t.Context()) }()                                             // Run
	require.NoError(t, session(t, w, "alice").Send(t.Context(), "test", []byte("for alice"))) // Send
	require.Equal(t, "for alice", string(got.next(t).Body))
	require.NoError(t, session(t, w, "alice").Close()) // Close(name)
	var closed *channel.CloseError
	require.ErrorAs(t, next(t, ran), &closed)
	require.Equal(t, channel.CodeClosed, closed.Code)
	require.NoError(t, bob.Context().Err(), "of that name alone")
}
