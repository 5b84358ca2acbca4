package client_test

import (
	"context"
	"fmt"
	"net"
	"os"
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
