package server_test

import (
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/server"
)

// TestHandshakesThatStay has handshakes that do not notice that they were ended: they count until
// they are gone, and who comes then is turned away. Without the count a flood of them would have no
// bound.
func TestHandshakesThatStay(t *testing.T) {
	inBubble(t, func(s *server.Server) { s.Limits.MaxHandshakes = 2; s.Impatient() }, func(t *testing.T, w *bubble) {
		var conns []*stuck
		for range 10 {
			c := newStuck(false)
			conns = append(conns, c)
			w.ln.conns <- c
			synctest.Wait()
		}
		require.Equal(t, 4, w.Stats().Handshakes)
		for i, c := range conns {
			require.Equal(t, i < 2 || i >= 4, c.isClosed(), "connection %d", i)
		}
		require.EqualValues(t, 8, w.Stats().HandshakesCrowded)
		for _, c := range conns {
			close(c.release)
		}
		synctest.Wait()
		require.Zero(t, w.Stats().Handshakes)
		w.mustEnter("alice", false)
	})
}

// TestEvictionCancels ends a handshake that does not notice that its connection is closed, as one
// that waits for its turn to compute.
func TestEvictionCancels(t *testing.T) {
	inBubble(t, func(s *server.Server) { s.Limits.MaxHandshakes = 1; s.Impatient() }, func(t *testing.T, w *bubble) {
		c := newStuck(true)
		w.ln.conns <- c
		synctest.Wait()
		newer := w.ln.dial()
		defer newer.Close()
		synctest.Wait()
		require.Equal(t, 1, w.Stats().Handshakes, "the older one has returned")
	})
}

// TestCrowdFromOneHost has one host open connections without end: it pushes out its own, and not
// the honest client that is slow.
func TestCrowdFromOneHost(t *testing.T) {
	for name, c := range map[string]struct {
		honest string
		from   func(i int) string
	}{
		"IPv4":         {"198.51.100.7:1", func(i int) string { return fmt.Sprintf("192.0.2.1:%d", i) }},
		"one IPv6 /64": {"198.51.100.7:1", func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i) }},
		"IPv4 in IPv6": {"[::ffff:198.51.100.7]:1", func(i int) string { return fmt.Sprintf("[::ffff:192.0.2.1]:%d", i) }},
		"no address":   {"@honest", func(i int) string { return "@bad" }},
		"two hosts":    {"198.51.100.7:1", func(i int) string { return fmt.Sprintf("203.0.113.%d:1", 1+i%2) }},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(s *server.Server) { s.Limits.MaxHandshakes = 8; s.Impatient() }, func(t *testing.T, w *bubble) {
				honest := w.ln.dialFrom(c.honest)
				for i := range 50 {
					defer w.ln.dialFrom(c.from(i + 1)).Close()
				}
				synctest.Wait()
				require.EqualValues(t, 43, w.Stats().HandshakesCrowded)
				_, err := w.enter(honest, "alice", false)
				require.NoError(t, err)
			})
		})
	}
}

// TestCrowdFromEverywhere has as many connections as hosts: the oldest makes room.
func TestCrowdFromEverywhere(t *testing.T) {
	inBubble(t, func(s *server.Server) { s.Limits.MaxHandshakes = 3; s.Impatient() }, func(t *testing.T, w *bubble) {
		var conns []net.Conn
		for i := range 5 {
			c := w.ln.dialFrom(fmt.Sprintf("[2001:db8:0:%x::1]:1", i))
			defer c.Close()
			conns = append(conns, c)
		}
		synctest.Wait()
		for _, c := range conns[:2] {
			_, err := c.Read(make([]byte, 1))
			require.Error(t, err)
		}
		_, err := w.enter(conns[2], "alice", false)
		require.NoError(t, err)
	})
}

// interlude is a client's connection that does something after message 3 and before the verdict is read.
type interlude struct {
	net.Conn
	early  bool // after message 1 instead
	writes int
	f      func()
}

func (c *interlude) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.writes++
	if c.early && c.writes == 1 || !c.early && c.writes == 2 {
		c.f()
	}
	return n, err
}

// TestWelcomedIsNotCrowded lets strangers come while a client is being welcomed: it has made its
// way, and is not pushed out.
func TestWelcomedIsNotCrowded(t *testing.T) {
	inBubble(t, func(s *server.Server) { s.Limits.MaxHandshakes = 1; s.Impatient() }, func(t *testing.T, w *bubble) {
		raw := &interlude{Conn: w.ln.dial()}
		raw.f = func() {
			synctest.Wait() // the server writes the verdict
			for range 3 {
				defer w.ln.dial().Close()
				synctest.Wait()
			}
		}
		_, err := w.enter(raw, "alice", false)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, w.Stats().Sessions)
		require.NoError(t, raw.Close()) // it holds nothing, so that nobody hears what the server says at its end
	})
}

// TestBurst has more honest clients come at once than there are places: they wait, and all get in.
func TestBurst(t *testing.T) {
	inBubble(t, func(s *server.Server) { s.Limits.MaxHandshakes = 2 }, func(t *testing.T, w *bubble) {
		busy := []net.Conn{w.ln.dial(), w.ln.dial()}
		synctest.Wait()
		entered := make(chan struct{})
		go func() {
			w.mustEnter("alice", false)
			close(entered)
		}()
		<-time.After(server.Patience(2) / 2)
		synctest.Wait()
		require.Equal(t, 2, w.Stats().Handshakes, "the third waits")
		busy[0].Close()
		<-entered
		require.Zero(t, w.Stats().HandshakesCrowded)

		// Who holds places for long uses the patience up, and then makes room.
		silent := w.ln.dial()
		defer silent.Close()
		synctest.Wait()
		begin := time.Now()
		w.mustEnter("alice", false)
		require.LessOrEqual(t, time.Since(begin), server.Patience(2))
		require.EqualValues(t, 1, w.Stats().HandshakesCrowded)
		busy[1].Close()
	})
}
