package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/cmd/internal/cli"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
	"github.com/pysock/pysock/server"
)

// world is a server of the test's own and the key files of its clients, for what no command makes a server do.
type world struct {
	srv     *server.Server
	dir     string
	address string
}

func newWorld(t *testing.T, mux *channel.Mux) *world {
	files, err := family([]string{"alice", "bob"}, defaultAddress)
	require.NoError(t, err)
	w := &world{srv: &server.Server{Keys: files[0], Handler: mux}, dir: filepath.Join(t.TempDir(), "keys")}
	require.NoError(t, createAll(w.dir, files))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.address = ln.Addr().String()
	done := make(chan struct{})
	go func() { // stops when the test's end closes the server
		defer close(done)
		assert.ErrorIs(t, w.srv.Serve(context.Background(), ln), server.ErrServerClosed)
	}()
	t.Cleanup(func() {
		require.NoError(t, w.srv.Close())
		<-done
	})
	return w
}

// run runs a command of a client in this process.
func (w *world) run(t *testing.T, stderr *notes, name, command string, args ...string) (status int, stdout string) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer out.Close()
	args = append([]string{command, "--keys", filepath.Join(w.dir, name+".yaml"), "--server", w.address}, args...)
	status = run(&env{stdin: out, stdout: out, stderr: stderr}, args)
	data, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	return status, string(data)
}

// notes is a standard error that says when the first line came.
type notes struct {
	mu    sync.Mutex
	b     bytes.Buffer
	first chan struct{}
}

func newNotes() *notes { return &notes{first: make(chan struct{})} }

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.b.Len() == 0 {
		close(n.first)
	}
	return n.b.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}

func TestAnswersThatAreErrors(t *testing.T) {
	mux := new(channel.Mux)
	mux.Handle("fail", func(context.Context, channel.Conn, *channel.Message) error {
		return &channel.Error{Code: 300, Text: "no\x1b[31m\nfake line"}
	})
	mux.Handle("panic", func(context.Context, channel.Conn, *channel.Message) error { return channel.CodeInternal })
	mux.Handle("cbor", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
		return m.ReplyMessage(ctx, channel.CBOR, []byte{0x82, 0xff})
	})
	w := newWorld(t, mux)
	stderr := newNotes()
	status, stdout := w.run(t, stderr, "alice", "request", "--channel", "fail", "x")
	assert.Equal(t, cli.ExitFailed, status)
	assert.Empty(t, stdout)
	assert.Equal(t, `pysock request: the server answered with the error 300, code 300: "no\x1b[31m\nfake line"`+"\n", stderr.String())

	stderr = newNotes()
	status, _ = w.run(t, stderr, "alice", "request", "--channel", "panic", "x")
	assert.Equal(t, cli.ExitFailed, status)
	assert.Equal(t, "pysock request: the server answered with the error 2, internal error\n", stderr.String())

	status, stdout = w.run(t, newNotes(), "alice", "request", "--channel", "cbor", "x")
	assert.Equal(t, cli.ExitDone, status)
	assert.Equal(t, "\x82\xff", stdout, "bytes that are no text are given as they are")
}

// TestListenPrintsWhatArrivedBeforeTheEnd has the server send and close at once.
func TestListenPrintsWhatArrivedBeforeTheEnd(t *testing.T) {
	w := newWorld(t, nil)
	stderr := newNotes()
	var status int
	var stdout string
	var listening sync.WaitGroup
	listening.Go(func() { status, stdout = w.run(t, stderr, "bob", "listen") })
	<-stderr.first
	bob, ok := w.srv.Session("bob")
	require.True(t, ok, stderr.String())
	var want strings.Builder
	for i := range 300 {
		require.NoError(t, bob.Send(context.Background(), "news", []byte(strconv.Itoa(i))))
		want.WriteString("server news " + strconv.Itoa(i) + "\n")
	}
	require.NoError(t, bob.CloseWithReason(channel.CodeKicked, "go\x1b[2Jaway"))
	listening.Wait()
	assert.Equal(t, cli.ExitFailed, status)
	assert.Equal(t, want.String(), stdout)
	assert.Equal(t, "connected\npysock listen: the server closed the connection: ended by the server: "+
		`"go\x1b[2Jaway"; ask its operator why, and start it again`+"\n", stderr.String())
}

// TestSendTakesWhatComesBack has a server that will not take anything before its own messages are taken.
func TestSendTakesWhatComesBack(t *testing.T) {
	mux := new(channel.Mux)
	mux.Handle("chatty", func(ctx context.Context, from channel.Conn, _ *channel.Message) error {
		for range 40 {
			if err := from.Send(ctx, "noise", make([]byte, 16<<10)); err != nil {
				return err
			}
		}
		if err := from.Flush(ctx); err != nil {
			return err
		}
		_, err := from.Request(ctx, "question", nil)
		assert.ErrorIs(t, err, channel.CodeNoHandler)
		return nil
	})
	w := newWorld(t, mux)
	stderr := newNotes()
	status, _ := w.run(t, stderr, "alice", "request", "--channel", "chatty", "x")
	assert.Equal(t, cli.ExitDone, status, stderr.String())
	assert.Empty(t, stderr.String())
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"alice": "alice", "Zoë_1.2-3": "Zoë_1.2-3", "": "''", "-f": "'-f'", "a;b": "'a;b'", "$(x)": "'$(x)'", "it's": `'it'\''s'`,
		"a\u009b": `$'a\u009b'`, "\x1b'\"": `$'\x1b\'\"'`, "\xff": `$'\xff'`,
	} {
		assert.Equal(t, want, shellWord(in))
	}
	assert.Equal(t, filepath.Join("a", "b.yaml"), shellPath(filepath.Join("a", "b.yaml")))
	assert.Equal(t, "'"+filepath.Join("a b", "c")+"'", shellPath(filepath.Join("a b", "c")))
}

func TestByteSize(t *testing.T) {
	assert.Equal(t, "16 KiB", byteSize(16<<10))
	assert.Equal(t, "17 MiB", byteSize(16<<20+1))
	assert.Equal(t, "9216 MiB", byteSize(9<<30))
	assert.Equal(t, "908 GiB", byteSize(908<<30))
}

// TestLogStats finds each counter of the server in the line.
func TestLogStats(t *testing.T) {
	var line bytes.Buffer
	logStats(&server.Server{Logger: slog.New(slog.NewTextHandler(&line, nil))})
	word := regexp.MustCompile("[A-Z][a-z]+")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[server.Stats]()) {
		name := strings.ToLower(strings.Join(word.FindAllString(field.Name, -1), "_"))
		assert.Regexp(t, " "+name+"=0( |\n)", line.String())
	}
}

func TestDump(t *testing.T) {
	assert.Empty(t, dump(nil))
	assert.Equal(t, []string{"00 41 20 7f ff                       .A..."}, dump([]byte{0, 'A', ' ', 0x7f, 0xff}))
	lines := dump(make([]byte, 1000))
	assert.Len(t, lines, showLines)
	assert.Equal(t, "and 904 bytes more", lines[showLines-1])
	assert.Len(t, dump(make([]byte, showLines*showBytes)), showLines)
}

func TestTextLineEscapesAll(t *testing.T) {
	m := &channel.Message{Channel: "ne\u009bws", From: &channel.Peer{Name: "al\u0378ice"}, Body: []byte("a\n")}
	assert.Equal(t, `al\u0378ice ne\u009bws a\n`, textLine(m, true))
}

func TestDescribeFitsTheTerminal(t *testing.T) {
	files, err := family([]string{"alice"}, defaultAddress)
	require.NoError(t, err)
	at := &net.TCPAddr{IP: net.ParseIP("2001:db8:1111:2222:3333:4444:5555:6666"), Port: 65535}
	open, none := *files[0], *files[0]
	open.Open, none.Clients = true, nil
	for _, f := range []*keys.File{files[0], &open, &none} {
		var b bytes.Buffer
		describe(&b, f, at, &server.Server{Limits: server.Limits{MaxSessions: 10_000_000},
			Grace: 23*time.Hour + 59*time.Minute + 59*time.Second})
		for line := range strings.Lines(b.String()) {
			assert.LessOrEqual(t, len(line), 80+len("\n"), line)
		}
	}
}

func TestReachable(t *testing.T) {
	machine := func() []netip.Addr {
		var all []netip.Addr
		for _, ip := range []string{"127.0.0.1", "::1", "192.0.2.7", "169.254.3.4", "fe80::1%eth0", "fe80::1", "2001:db8::7", "ff02::1"} {
			all = append(all, netip.MustParseAddr(ip))
		}
		return all
	}
	for _, wildcard := range []string{"::", "0.0.0.0"} {
		assert.Equal(t, []string{"192.0.2.7:7700", "[2001:db8::7]:7700", "127.0.0.1:7700", "[::1]:7700"},
			reachable(&net.TCPAddr{IP: net.ParseIP(wildcard), Port: 7700}, machine))
	}
	assert.Equal(t, []string{"192.0.2.7:7700"}, reachable(&net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 7700}, machine))
	assert.Equal(t, []string{"[::]:7700"}, reachable(&net.TCPAddr{IP: net.IPv6unspecified, Port: 7700}, func() []netip.Addr { return nil }))
	assert.Contains(t, machineAddresses(), netip.MustParseAddr("127.0.0.1"))
}

func TestLostError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&channel.LostError{Err: &secure.TruncatedError{During: "stream"}},
			"the connection to the server was lost (it ended without a goodbye)"},
		{&channel.LostError{Err: fmt.Errorf("read: %w", syscall.ECONNRESET)}, "the connection to the server was lost (it was reset)"},
		{&channel.LostError{}, "the connection to the server was lost"},
		{&channel.LostError{Err: io.ErrClosedPipe}, "the connection to the server was lost: io: read/write on closed pipe"},
		{io.ErrClosedPipe, "io: read/write on closed pipe"},
	} {
		assert.EqualError(t, lostError("the server", false, c.err), c.want)
	}
}
