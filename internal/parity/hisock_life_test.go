package parity_test

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

// `disconnect_client(force)`, `disconnect_all_clients`, `close`: kick with a reason, drain, cut.
func TestHiSock_Disconnect(t *testing.T) {
	w := hub(t, nil, "alice", "bob", "carol")
	once := func(c *client.Config) { c.NoReconnect = true }
	alice, bob, carol := w.Dial("alice", once), w.Dial("bob", once), w.Dial("carol", once)
	require.NoError(t, session(t, w, "alice").CloseWithReason(channel.CodeKicked, "out"))
	ended := func(c *client.Client, code channel.Code, text string) {
		t.Helper()
		<-c.Context().Done()
		var closed *channel.CloseError
		require.ErrorAs(t, context.Cause(c.Context()), &closed)
		require.Equal(t, channel.CloseError{Code: code, Text: text}, *closed)
	}
	ended(alice, channel.CodeKicked, "out")
	require.NoError(t, bob.Context().Err())
	for s := range w.Server.Sessions() {
		require.NoError(t, s.CloseWithReason(channel.CodeKicked, "all of you"))
	}
	ended(bob, channel.CodeKicked, "all of you")
	ended(carol, channel.CodeKicked, "all of you")

	// Shutdown lets what runs finish.
	busy, free := make(chan struct{}), make(chan struct{})
	w = hub(t, nil, "alice")
	w.Server.Handler.Handle("work", func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
		close(busy)
		<-free
		return m.Reply(ctx, []byte("done"))
	})
	alice = w.Dial("alice", once)
	answered := make(chan string, 1)
	go func() {
		if m, err := alice.Request(t.Context(), "work", nil); err == nil {
			answered <- string(m.Body)
		}
		close(answered)
	}()
	next(t, busy)
	drained := make(chan error, 1)
	go func() { drained <- w.Server.Shutdown(t.Context()) }()
	close(free)
	require.Equal(t, "done", next(t, answered))
	require.NoError(t, next(t, drained))
	<-alice.Context().Done()
	require.ErrorIs(t, context.Cause(alice.Context()), channel.CodeShutdown)

	// Close does not wait.
	w = hub(t, nil, "alice")
	alice = w.Dial("alice", once)
	require.NoError(t, w.Server.Close())
	<-alice.Context().Done()
	_, err := w.TryDial("alice", nil)
	require.Error(t, err)
}

// `keepalive`: dead peers are found, by default and both ways, and the round-trip time is known.
func TestHiSock_Keepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := make(chan string, 1)
		is := newIsland(t, func(s *server.Server) {
			s.OnAway = func(s *server.Session, on bool) {
				if on {
					away <- s.Peer().Name
				}
			}
		}, "alice", "bob")
		is.kind = memnet.Config{Delay: 20 * time.Millisecond}
		alice := is.join("alice", nil)
		is.kind = memnet.Config{}
		bob := is.join("bob", nil)
		rtt, err := alice.Ping(t.Context())
		require.NoError(t, err)
		require.Equal(t, 40*time.Millisecond, rtt)
		<-time.After(time.Minute)
		s, _ := is.srv.Session("alice")
		require.Equal(t, 40*time.Millisecond, s.RoundTrip())
		require.Empty(t, away, "who is silent is not dead")

		begun := time.Now()
		is.cut(true)
		is.silence(1) // bob's
		require.Equal(t, "bob", next(t, away))
		require.LessOrEqual(t, time.Since(begun), 30*time.Second)
		for st := range bob.States(t.Context()) { // he finds out, too
			if st.Phase == client.Resuming {
				break
			}
		}
		require.LessOrEqual(t, time.Since(begun), 30*time.Second)
		is.cut(false)
		for st := range bob.States(t.Context()) {
			if st.Phase == client.Online && bob.Stats().Reconnects == 1 {
				break
			}
		}
		require.LessOrEqual(t, time.Since(begun), 45*time.Second)
		require.Equal(t, 1, bob.State().Session, "he is back with the same session")
	})
}

// `max_connections`, `header_len`: limits that are enforced; lengths are variable and capped.
func TestHiSock_Limits(t *testing.T) {
	const most = 64 << 10
	w := hub(t, func(s *server.Server) {
		s.Limits = server.Limits{MaxSessions: 1, MaxMessage: most}
		s.Handler.Handle("test", testworld.Echo)
	}, "alice", "bob")
	alice := w.Dial("alice", nil)
	_, err := w.TryDial("bob", nil)
	require.ErrorIs(t, err, channel.CodeLimit)
	for _, n := range []int{0, 1, 1000, most} {
		m, err := alice.Request(t.Context(), "test", make([]byte, n))
		require.NoError(t, err)
		require.Len(t, m.Body, n)
	}
	_, err = alice.Request(t.Context(), "test", make([]byte, most+1))
	require.ErrorIs(t, err, channel.CodeTooLarge)
	require.ErrorIs(t, alice.Send(t.Context(), "test", make([]byte, most+1)), channel.CodeTooLarge)
	_, err = alice.Request(t.Context(), "test", []byte("she is still in"))
	require.NoError(t, err)
}

// `get_addr`, `get_server_addr`, `connect_time`: who, where, and since when.
func TestHiSock_GetAddr(t *testing.T) {
	w := hub(t, nil, "alice")
	w.Server.Handler.Handle("test", testworld.Echo)
	before := time.Now()
	alice := w.Dial("alice", nil)
	s := session(t, w, "alice")
	require.Equal(t, w.Address, alice.Peer().Addr.String())
	require.Equal(t, w.Address, w.Server.Addrs()[0].String())
	require.Equal(t, alice.Stats().LocalAddr.String(), s.Peer().Addr.String())
	require.Equal(t, w.Address, alice.Stats().Addr.String())
	require.False(t, s.Since().Before(before.Truncate(time.Second)))
	require.False(t, s.Since().After(time.Now()))

	_, err := alice.Request(t.Context(), "test", make([]byte, 10_000))
	require.NoError(t, err)
	st := s.Stats()
	require.Equal(t, s.Since(), st.Since)
	require.Equal(t, s.Peer().Addr, st.Addr)
	require.Greater(t, st.BytesReceived, uint64(10_000))
	require.Greater(t, alice.Stats().BytesReceived, uint64(10_000))
	require.Zero(t, st.Pipes)
}

// `input_server_config`, `input_client_config`: `pysock init` makes the files. That it asks on a
// terminal is tested where there is one, in cmd/pysock.
func TestHiSock_Init(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), program(t, "pysock"), "init", "--dir", dir, "--address", "hub.example:7700", "alice",
		"bob").CombinedOutput()
	require.NoError(t, err, string(out))
	own, err := keys.Load(filepath.Join(dir, "server.yaml"))
	require.NoError(t, err)
	for _, name := range []string{"alice", "bob"} {
		f, err := keys.Load(filepath.Join(dir, name+".yaml"))
		require.NoError(t, err)
		require.Equal(t, own.Clients[name], f.Public)
		require.Equal(t, keys.ServerRef{Address: "hub.example:7700", Key: own.Public}, *f.Server)
		require.Len(t, f.Peers, 1)
	}
}

// `get_local_ip`, `ipstr_to_tup`, `iptup_to_str`: net/netip does that; `pysock serve` prints where
// it can be reached; IPv6 works.
func TestHiSock_Addresses(t *testing.T) {
	w := hub(t, nil, "alice")
	var dialed string
	alice := w.Dial("alice", func(c *client.Config) {
		moved := *c.Keys
		moved.Server = &keys.ServerRef{Address: "[2001:db8::7]:7700", Key: c.Keys.Server.Key}
		c.Keys = &moved
		c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed = address
			return new(net.Dialer).DialContext(ctx, network, w.Address)
		}
	})
	at, err := netip.ParseAddrPort(dialed)
	require.NoError(t, err)
	require.Equal(t, netip.AddrPortFrom(netip.MustParseAddr("2001:db8::7"), 7700), at)
	from, err := netip.ParseAddrPort(session(t, w, "alice").Peer().Addr.String())
	require.NoError(t, err)
	require.True(t, from.Addr().IsLoopback())
	require.NoError(t, alice.Close())

	dir := t.TempDir()
	require.NoError(t, testworld.NewKey(t, keys.ServerName).Create(filepath.Join(dir, "server.yaml"), nil))
	p := start(t, program(t, "pysock"), dir, "serve", "--keys", "server.yaml", "--listen", "127.0.0.1:0")
	address := p.after("listening on ")
	_, err = netip.ParseAddrPort(address)
	require.NoError(t, err)
	require.Equal(t, address, strings.TrimSpace(p.after("reached at:")))
}

// Examples: each is tested where it is. This runs HiSock's own, the one of its README.
func TestHiSock_Examples(t *testing.T) {
	own, alice := testworld.NewKey(t, keys.ServerName), testworld.NewKey(t, "alice")
	own.Clients, own.Listen = map[string]keys.PublicKey{"alice": alice.Public}, "127.0.0.1:0"
	dir := t.TempDir()
	require.NoError(t, own.Create(filepath.Join(dir, "server.yaml"), nil))
	srv := start(t, program(t, "hisock"), dir, "serve", "server.yaml")
	alice.Server = &keys.ServerRef{Address: srv.after("listening on "), Key: own.Public}
	require.NoError(t, alice.Create(filepath.Join(dir, "alice.yaml"), nil))
	c := exec.CommandContext(t.Context(), program(t, "hisock"), "join", "alice.yaml")
	c.Dir, c.Stdin = dir, strings.NewReader("(1+2)*3\n__import__('os').system('id')\n6*7\n")
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	lines := strings.Split(string(out), "\n")
	require.True(t, slices.Contains(lines, `"(1+2)*3" is 9.`) && slices.Contains(lines, `"6*7" is 42.`), string(out))
	require.Contains(t, string(out), "No result: ", "what Python's eval would have run")
	require.NotContains(t, string(out), "uid=")
}
