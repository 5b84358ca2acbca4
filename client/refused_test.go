package client_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/client"
)

// TestNobodyListens: a server that is down is looked for less often, when each of its addresses has been tried.
func TestNobodyListens(t *testing.T) {
	for addresses := 1; addresses <= 2; addresses++ {
		t.Run(fmt.Sprint(addresses), func(t *testing.T) {
			var longest time.Duration
			for range 30 {
				bubble(t, func(t *testing.T) { longest = max(longest, testNobodyListens(t, addresses)) })
			}
			require.Greater(t, longest, 50*time.Millisecond<<addresses, "what the back-off alone would be at most")
		})
	}
}

// testNobodyListens returns how long the client waited after its first attempt at each address.
func testNobodyListens(t *testing.T, addresses int) time.Duration {
	w := newWorld(t, nil, "alice")
	var at []time.Time
	alice := w.dial("alice", func(c *client.Config) {
		if addresses == 2 {
			c.Addresses = []string{"hub:2"}
		}
		c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := w.net.dial(ctx, network, address)
			if err != nil {
				at = append(at, time.Now())
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			return conn, err
		}
	})
	<-time.After(time.Second) // a connection that is lost at once would not be replaced at once
	w.net.fail(true)
	begun := time.Now()
	<-time.After(30 * time.Second)
	w.net.fail(false)
	await(t, alice, phase(client.Online))
	require.Equal(t, begun, at[0])
	n := addresses
	for i := 1; i < n; i++ {
		require.LessOrEqual(t, at[i].Sub(at[i-1]), 50*time.Millisecond<<(i-1), "before attempt %d", i+1)
	}
	return at[n].Sub(at[n-1])
}

// TestHandshakeThatFails: an attempt that comes to nothing is told in one clear line.
func TestHandshakeThatFails(t *testing.T) {
	for _, test := range []struct {
		closes bool
		want   string
		is     error
	}{
		{false, `the server at "hub:2" did not finish the handshake in time`, os.ErrDeadlineExceeded},
		{true, `the server at "hub:2" ended the connection during the handshake: it may be overloaded`, io.ErrUnexpectedEOF},
	} {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, nil, "alice")
			h := w.net.listen("hub:2")
			defer h.Close()
			go func() {
				for { // stops when the host is closed
					conn, err := h.Accept()
					if err != nil {
						return
					}
					defer conn.Close()
					if test.closes {
						_, _ = io.ReadFull(conn, make([]byte, 1000))
						conn.Close()
					}
				}
			}()
			_, err := client.Dial(t.Context(), "hub:2", w.config("alice", nil))
			require.EqualError(t, err, test.want)
			require.ErrorIs(t, err, test.is)

			alice := w.dial("alice", func(c *client.Config) { c.Addresses = []string{"hub:2"} })
			require.NoError(t, w.srv.Close())
			s := await(t, alice, func(s client.State) bool { return s.Err != nil && strings.Contains(s.Err.Error(), "hub:2") })
			require.EqualError(t, s.Err, test.want)
		})
	}
}
