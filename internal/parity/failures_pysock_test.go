package parity_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	"github.com/pysock/pysock/server"
)

// It unpickles and `eval`s bytes from strangers. Here bytes are bytes, and what they are decoded
// into the receiver says.
func TestWrong_PySock_BytesAreData(t *testing.T) {
	pickle := []byte("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x10touch /tmp/owned\x85R.")
	evil := [][]byte{pickle, []byte(`__import__("os").system("id")`), []byte("{{.}}$(id)`id`"), bytes.Repeat([]byte{0x81}, 10_000)}
	w := hub(t, nil, "alice")
	came, failed := make(inbox, 1), make(chan channel.ErrorEvent, 1)
	w.Server.Handler.Handle("raw", came.take)
	channel.Of[map[string]int]("typed").Handle(w.Server.Handler, func(_ context.Context, _ channel.Conn, v map[string]int) error {
		t.Errorf("it was decoded into %v", v)
		return nil
	})
	w.Server.Handler.OnError(func(e channel.ErrorEvent) { failed <- e })
	alice := w.Dial("alice", nil)
	for _, b := range evil {
		require.NoError(t, alice.Send(t.Context(), "raw", b))
		require.Equal(t, b, came.next(t).Body)
		for _, enc := range []channel.Encoding{channel.Raw, channel.Text, channel.CBOR} {
			require.NoError(t, alice.SendMessage(t.Context(), &channel.Message{Channel: "typed", Body: b, Encoding: enc}))
			var bad *channel.DecodeError
			require.ErrorAs(t, next(t, failed).Err, &bad)
		}
	}
	for _, dir := range []string{"channel", "client", "server", "secure", "keys", "internal/link", "internal/wire", "internal/service"} {
		for _, file := range sources(t, dir) {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			require.NoError(t, err)
			for _, imp := range f.Imports {
				require.NotContains(t, []string{`"os/exec"`, `"plugin"`, `"encoding/gob"`, `"text/template"`, `"go/parser"`, `"unsafe"`},
					imp.Path.Value, file)
			}
		}
	}
}

// sources gives the Go files of a folder of the module, and of those below it, without tests.
func sources(t *testing.T, dir string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join("..", "..", filepath.FromSlash(dir)),
		func(path string, d fs.DirEntry, err error) error {
			if d.IsDir() && strings.HasPrefix(d.Name(), ".git") {
				return fs.SkipDir
			}
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				files = append(files, path)
			}
			return err
		}))
	require.NotEmpty(t, files)
	return files
}

// One AES-GCM nonce for all messages of a key: two ciphertexts then give away what their texts have in common.
func TestWrong_PySock_NoncesDoNotRepeat(t *testing.T) {
	w := hub(t, nil, "alice")
	w.Server.Handler.Handle("test", take)
	var records [][]byte
	for range 2 { // connections, with the same identity keys
		var p tap
		alice := w.Dial("alice", func(c *client.Config) { c.DialContext = p.dial })
		_, _, before := p.seen()
		for range 10 {
			require.NoError(t, alice.SendAcked(t.Context(), "test", make([]byte, 2000)))
		}
		_, _, writes := p.seen()
		for _, b := range writes[len(before):] {
			if len(b) > 2000 {
				records = append(records, b[2:]) // behind the length
			}
		}
		require.NoError(t, alice.Close())
	}
	require.GreaterOrEqual(t, len(records), 20)
	for i, a := range records {
		for _, b := range records[:i] {
			same := 0
			for k := range min(len(a), len(b)) {
				if a[k] == b[k] {
					same++
				}
			}
			require.Less(t, same, 100, "of 2,000 bytes that are equal in clear some 8 should be equal by chance")
		}
	}
}

// take is a handler that does nothing: what it is called for has been taken.
func take(context.Context, channel.Conn, *channel.Message) error { return nil }

// A universal key and PEM passwords in the source: here there is no secret in it, and each identity
// has a key of its own.
func TestWrong_PySock_NoKeysInTheSource(t *testing.T) {
	secret := regexp.MustCompile(`PYSOCK-SECRET-1[0-9A-Za-z]{20}|AGE-SECRET-KEY-1[0-9A-Z]{20}|BEGIN [A-Z ]*PRIVATE KEY|-----BEGIN AGE ENCRYPTED FILE-----\n\w`)
	require.True(t, secret.MatchString(testworld.NewKey(t, "x").Private.Secret()), "it would be found")
	for _, file := range sources(t, ".") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if bytes.Contains(text, []byte("SECRET-")) || bytes.Contains(text, []byte("-----BEGIN")) { // searching for that is much faster
			require.False(t, secret.Match(text), file)
		}
	}
	w := hub(t, nil, "alice", "bob")
	require.NotEqual(t, w.Files["alice"].Private.Secret(), w.Files["bob"].Private.Secret())
	require.NotEqual(t, w.Files["alice"].Private.Secret(), hub(t, nil, "alice").Files["alice"].Private.Secret())
}

// Replays are accepted: neither a whole connection nor a single record can be sent again.
func TestWrong_PySock_Replay(t *testing.T) {
	paid := make(inbox, 10)
	w := hub(t, func(s *server.Server) { s.Handler.Handle("pay", paid.take) }, "alice")
	var p tap
	alice := w.Dial("alice", func(c *client.Config) { c.DialContext = p.dial })
	_, _, before := p.seen()
	require.NoError(t, alice.SendAcked(t.Context(), "pay", []byte("10 to bob")))
	require.Equal(t, "10 to bob", string(paid.next(t).Body))
	up, _, writes := p.seen()

	again, err := net.Dial("tcp", w.Address)
	require.NoError(t, err)
	defer again.Close()
	_, _ = again.Write(up) // the server may hang up in it
	_ = again.(*net.TCPConn).CloseWrite()
	_, _ = io.ReadAll(again)
	require.EqualValues(t, 1, w.Server.Stats().SessionsBegun)

	// In the connection itself a record that comes twice ends it, and the client goes on over another.
	_, err = p.conn.Write(bytes.Join(writes[len(before):], nil))
	require.NoError(t, err)
	for s := range alice.States(t.Context()) {
		if s.Phase == client.Online && alice.Stats().Reconnects == 1 {
			break
		}
	}
	require.NoError(t, alice.SendAcked(t.Context(), "pay", []byte("5 to bob")))
	require.Equal(t, "5 to bob", string(paid.next(t).Body))
	require.Empty(t, paid)
	require.Equal(t, 1, alice.State().Session, "the one who replays can cut, and no more")
}

// One `recv` taken for a whole message: here it may come byte by byte, or many at once.
func TestWrong_PySock_MessagesAreWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sizes := []int{0, 1, 100, 20_000, 70_000, 3}
		is := newIsland(t, nil, "alice")
		got := make(inbox, 100)
		is.srv.Handler.Handle("test", got.take)
		for _, chunk := range []int{1, 7, 0} {
			is.kind = memnet.Config{Chunk: chunk}
			alice := is.join("alice", nil)
			for _, n := range sizes {
				require.NoError(t, alice.Send(t.Context(), "test", bytes.Repeat([]byte{byte(n)}, n)))
			}
			for _, n := range sizes {
				require.Equal(t, bytes.Repeat([]byte{byte(n)}, n), append([]byte{}, got.next(t).Body...), "in chunks of %d", chunk)
			}
			require.NoError(t, alice.Close())
		}
		require.Empty(t, got)
	})
}

// Messages reordered under load, 1..20 arrive as 1,5,9,17,10: here 1..20 arrive as 1..20, from each
// of several senders at once, to the server and through pipes.
func TestWrong_PySock_OrderUnderLoad(t *testing.T) {
	const rounds = 10
	names := []string{"hub", "a", "b", "c", "d", "e", "f"}
	w := hub(t, nil, names...)
	check := func() channel.Handler {
		var mu sync.Mutex
		last := map[string]uint32{}
		return func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			mu.Lock()
			defer mu.Unlock()
			n := binary.BigEndian.Uint32(m.Body)
			if n != last[m.From.Name]+1 {
				return fmt.Errorf("%d of %s comes after %d", n, m.From.Name, last[m.From.Name])
			}
			last[m.From.Name] = n
			return nil
		}
	}
	wrong := func(e channel.ErrorEvent) { t.Error(e.Err) }
	w.Server.Handler.Handle("test", check())
	w.Server.Handler.OnError(wrong)
	middle := w.Dial("hub", nil)
	middle.Handle("test", check())
	middle.OnError(wrong)
	run(t, middle)
	var senders sync.WaitGroup
	for _, name := range names[1:] {
		c := w.Dial(name, nil)
		p, err := c.OpenPipe(t.Context(), "hub")
		require.NoError(t, err)
		for _, conn := range []channel.Conn{c, p} {
			senders.Go(func() {
				for i := range uint32(20 * rounds) {
					body := make([]byte, 4+int(i%7)*int(i%5)*1500) // of all sizes, beyond a frame's
					binary.BigEndian.PutUint32(body, i+1)
					if err := conn.Send(t.Context(), "test", body); err != nil {
						t.Error(err)
						return
					}
				}
				if err := conn.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	senders.Wait()
	count := make(inbox, 1) // that none was left out shows the number of one more
	w.Server.Handler.Handle("last", count.take)
	require.NoError(t, middle.Send(t.Context(), "last", nil))
	count.next(t)
}

// Peer sends silently lost, 0 of 6 delivered: here 6 of 6, and 1,000 of 1,000 though the connections are cut meanwhile.
func TestWrong_PySock_PeerSendsArrive(t *testing.T) {
	w := hub(t, nil, "alice", "bob")
	alice, bob := w.Dial("alice", nil), w.Dial("bob", nil)
	got := make(inbox, 1000)
	bob.Handle("test", got.take)
	run(t, bob)
	for i := range 6 {
		require.NoError(t, alice.SendTo(t.Context(), "bob", "test", []byte(strconv.Itoa(i))))
	}
	for i := range 6 {
		require.Equal(t, strconv.Itoa(i), string(got.next(t).Body))
	}
	go func() { // ends with the client at the latest
		for i := range 1000 {
			if err := alice.SendTo(t.Context(), "bob", "test", []byte(strconv.Itoa(i))); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	cuts := 0
	for i := range 1000 {
		if i%300 == 100 {
			cuts += w.Net.Cut()
		}
		require.Equal(t, strconv.Itoa(i), string(got.next(t).Body))
	}
	require.GreaterOrEqual(t, cuts, 2, "both had one at first")
	require.Equal(t, 1, alice.State().Session)
}

// An idle server spins at 0.8–0.98 core. Here an hour of a server with 20 idle clients is their
// keepalive, a question and its answer every 15 s, and nothing else.
func TestWrong_PySock_IdleServer(t *testing.T) {
	const clients = 20
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range clients {
			names = append(names, "c"+strconv.Itoa(i))
		}
		is := newIsland(t, nil, names...)
		for _, name := range names {
			run(t, is.join(name, nil))
		}
		<-time.After(time.Minute)
		_, before := is.count()
		<-time.After(time.Hour)
		dials, after := is.count()
		require.Equal(t, clients, dials)
		perClient := (after - before) / clients
		require.LessOrEqual(t, perClient, 3*3600/15)
		require.GreaterOrEqual(t, perClient, 3600/30, "they are counted")
		require.Equal(t, clients, is.srv.Stats().Sessions)
		require.Zero(t, is.srv.Stats().Away)
	})
}
