package secure

import (
	"context"
	"net"
	"testing"

	"github.com/pysock/pysock/keys"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKey(t testing.TB) *keys.PrivateKey {
	t.Helper()
	k, err := keys.GeneratePrivateKey()
	require.NoError(t, err)
	return k
}

func anyKey(keys.PublicKey) error { return nil }

// configs are two sides that accept each other.
func configs(t testing.TB) (initiator, responder *Config) {
	return &Config{Key: newKey(t), VerifyPeer: anyKey, Hello: []byte("hello")}, &Config{Key: newKey(t)}
}

// tcpPair is the two ends of a TCP connection over loopback.
func tcpPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	a, err = net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	b, err = ln.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func pipePair(t testing.TB) (a, b net.Conn) {
	a, b = net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

type result struct {
	c   *Conn
	err error
}

// initiateAsync runs Initiate beside the test.
func initiateAsync(ctx context.Context, conn net.Conn, cfg *Config) <-chan result {
	ch := make(chan result, 1)
	go func() {
		c, err := Initiate(ctx, conn, cfg)
		ch <- result{c, err}
	}()
	return ch
}

// acceptAsync runs Accept and Welcome beside the test.
func acceptAsync(ctx context.Context, conn net.Conn, cfg *Config) <-chan result {
	ch := make(chan result, 1)
	go func() {
		p, err := Accept(ctx, conn, cfg)
		if err != nil {
			ch <- result{nil, err}
			return
		}
		c, err := p.Welcome(ctx, []byte("welcome"))
		ch <- result{c, err}
	}()
	return ch
}

// connect runs a handshake between two conns.
func connect(t testing.TB, a, b net.Conn) (initiator, responder *Conn) {
	t.Helper()
	ci, cr := configs(t)
	ch := initiateAsync(t.Context(), a, ci)
	accepted := acceptAsync(t.Context(), b, cr)
	ri, rr := <-ch, <-accepted
	require.NoError(t, ri.err)
	require.NoError(t, rr.err)
	t.Cleanup(func() { ri.c.CloseNow(); rr.c.CloseNow() })
	return ri.c, rr.c
}
