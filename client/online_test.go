package client_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

// also lets the server listen at one more address.
func (w *world) also(address string) {
	ln := w.net.listen(address)
	done := make(chan struct{})
	go func() { // stops with the server
		_ = w.srv.Serve(context.Background(), ln)
		close(done)
	}()
	stop := w.stop
	w.stop = func() {
		stop()
		<-done
	}
}

func TestAddresses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		w.also("hub:3")
		w.net.host("hub:1").Close()
		w.files["alice"].Server.Also = []string{"hub:2"}
		alice := w.dial("alice", func(c *client.Config) { c.Addresses = []string{"hub:3", "hub:1"} })
		require.Equal(t, []string{"hub:1", "hub:2", "hub:3"}, w.net.dialed())
		require.Equal(t, "hub:3", alice.State().Address)

		// It comes back to the one that worked, and then tries the others.
		w.net.cut()
		_, err := alice.Ping(t.Context())
		require.NoError(t, err)
		w.also("hub:2")
		w.net.host("hub:3").Close()
		w.net.cut()
		_, err = alice.Ping(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"hub:3", "hub:3", "hub:1", "hub:2"}, w.net.dialed()[3:])
		await(t, alice, session(1))
		require.Equal(t, "hub:2", alice.State().Address)
	})
}

func TestFirstDial(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, nil, "alice")
		w.net.fail(true)
		_, err := client.Dial(ctx, "", w.config("alice", func(c *client.Config) { c.Addresses = []string{"hub:2"} }))
		require.ErrorIs(t, err, errDown)
		require.Len(t, w.net.dialed(), 2)
		var failed *client.DialError
		require.ErrorAs(t, err, &failed)
		require.Len(t, failed.Attempts, 2)
		require.EqualError(t, err, fmt.Sprintf(`no address of the server has worked: "hub:1": %v; "hub:2": %v`, failed.Attempts[0].Err,
			failed.Attempts[1].Err))
		w.net.fail(false)

		// A refusal is the same everywhere.
		w.files["mallory"] = testworld.NewKey(t, "mallory")
		w.files["mallory"].Server = w.files["alice"].Server
		_, err = client.Dial(ctx, "", w.config("mallory", func(c *client.Config) { c.Addresses = []string{"hub:2"} }))
		require.ErrorIs(t, err, channel.CodeUnknownKey)
		require.Len(t, w.net.dialed(), 3)

		// One that says nothing does not use up the time of the others.
		w.net.listen("hub:7")
		c, err := client.Dial(ctx, "hub:7", w.config("alice", func(c *client.Config) { c.Addresses = []string{"hub:1"} }))
		require.NoError(t, err)
		require.NoError(t, c.Close())
	})
}

func TestFailOffline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w := newWorld(t, func(s *server.Server) {
			s.Handler.Handle("up", at.take)
			s.Handler.Handle("ask", func(ctx context.Context, _ channel.Conn, m *channel.Message) error { <-ctx.Done(); return nil })
		}, "alice", "bob")
		alice := w.dial("alice", func(c *client.Config) { c.FailOffline = true })
		w.dial("bob", nil)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		waiting := make(chan error)
		go func() {
			_, err := alice.Request(ctx, "ask", nil)
			waiting <- err
		}()
		synctest.Wait()
		w.net.fail(true)
		require.ErrorIs(t, <-waiting, client.ErrOffline)
		require.NoError(t, alice.Send(ctx, "up", numbered(0, 0))) // it need not wait
		for what, err := range map[string]error{
			"flush":   alice.Flush(ctx),
			"acked":   alice.SendAcked(ctx, "up", numbered(1, 0)), // it is on its way
			"request": func() error { _, err := alice.Request(ctx, "ask", nil); return err }(),
			"stream":  func() error { _, err := alice.OpenStream(ctx, "x"); return err }(),
			"pipe":    func() error { _, err := alice.OpenPipe(ctx, "bob"); return err }(),
			"ping":    func() error { _, err := alice.Ping(ctx); return err }(),
			"through": p.Flush(ctx),
			"large":   alice.Send(ctx, "up", make([]byte, 8<<20)),
		} {
			if what == "through" {
				require.NoError(t, err, what) // nothing was sent
				continue
			}
			require.ErrorIs(t, err, client.ErrOffline, what)
		}
		w.net.fail(false)
		await(t, alice, phase(client.Online))
		require.NoError(t, alice.Flush(ctx))
		require.Equal(t, upTo(2), at.taken())
	})
}

// TestFailOfflineThroughAPipe has a connection to the server, and none to the peer.
func TestFailOfflineThroughAPipe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		w := newWorld(t, func(s *server.Server) { s.Grace = 10 * time.Second }, "alice", "bob")
		bobs, forBob := w.apart()
		alice := w.dial("alice", func(c *client.Config) { c.FailOffline = true })
		bob := w.dial("bob", forBob)
		p, err := alice.OpenPipe(ctx, "bob")
		require.NoError(t, err)
		bobs.fail(true)
		_, err = p.Ping(ctx)
		require.ErrorIs(t, err, channel.CodeGone) // it waited until the server gave bob's session up
		_, err = p.Ping(ctx)
		require.ErrorIs(t, err, client.ErrOffline)
		_, err = alice.Ping(ctx)
		require.NoError(t, err)
		bobs.fail(false)
		await(t, bob, session(2))
		<-time.After(5 * time.Second)
		_, err = p.Ping(ctx)
		require.NoError(t, err)
	})
}

// TestOutbox fills what a client keeps while it is offline: Send waits then, and nothing is dropped.
func TestOutbox(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		var at record
		w := newWorld(t, func(s *server.Server) { s.Handler.Handle("up", at.take) }, "alice")
		alice := w.dial("alice", nil)
		w.net.fail(true)
		var sending sync.WaitGroup
		sent := 0
		sending.Go(func() {
			for ; sent < 1000; sent++ {
				if err := alice.Send(ctx, "up", numbered(sent, 1000)); err != nil {
					panic(err)
				}
			}
		})
		synctest.Wait()
		require.Less(t, sent, 1000)
		<-time.After(time.Minute)
		w.net.fail(false)
		sending.Wait()
		require.NoError(t, alice.Flush(ctx))
		require.Equal(t, upTo(1000), at.taken())
	})
}

// TestRenewal goes over to new connections under traffic, by age and by bytes.
func TestRenewal(t *testing.T) {
	for name, set := range map[string]func(*client.Config){
		"age":   func(c *client.Config) { c.RenewAfter = 10 * time.Second },
		"bytes": func(c *client.Config) { c.RenewBytes = 300 << 10 },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx := t.Context()
				var at record
				w := newWorld(t, func(s *server.Server) { s.Handler.Handle("up", at.take) }, "alice")
				alice := w.dial("alice", set)
				var seen []client.State
				watched := make(chan struct{})
				go func() {
					for s := range alice.States(ctx) {
						seen = append(seen, s)
					}
					close(watched)
				}()
				for i := range 1000 {
					require.NoError(t, alice.Send(ctx, "up", numbered(i, 3000)))
					<-time.After(100 * time.Millisecond)
				}
				require.NoError(t, alice.Flush(ctx))
				require.Equal(t, upTo(1000), at.taken())
				require.InDelta(t, 11, w.net.connections(), 3)
				require.NoError(t, alice.Close())
				<-watched
				for _, s := range seen[:len(seen)-1] {
					require.Equal(t, client.Online, s.Phase)
					require.Equal(t, 1, s.Session)
				}
			})
		})
	}
}

// TestFailedRenewal leaves the old connection as it is.
func TestFailedRenewal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil, "alice")
		alice := w.dial("alice", func(c *client.Config) { c.RenewAfter = time.Minute })
		w.net.mu.Lock()
		w.net.down = true // for new ones alone
		w.net.mu.Unlock()
		<-time.After(time.Hour)
		require.Equal(t, client.Online, alice.State().Phase)
		tried := len(w.net.dialed())
		require.Greater(t, tried, 5)
		require.Less(t, tried, 60)
		w.net.fail(false)
		<-time.After(10 * time.Minute)
		require.Equal(t, client.State{Phase: client.Online, Session: 1, Address: "hub:1", Since: alice.State().Since}, alice.State())
		require.Greater(t, w.net.connections(), 1)
	})
}

// sleepyClock is a wall clock that a test can turn, beside the bubble's time.
type sleepyClock struct {
	mu   sync.Mutex
	more time.Duration
}

func (c *sleepyClock) sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.more += d
}

func (c *sleepyClock) dial(t *testing.T, w *world, name string) *client.Client {
	begun := time.Now()
	alice, err := client.DialWith(context.Background(), "", w.config(name, nil), func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		return time.Now().Add(c.more)
	}, func() time.Duration { return time.Since(begun) })
	require.NoError(t, err)
	t.Cleanup(func() { alice.Close() })
	return alice
}

// TestWakeUp sleeps, once while the connection looks well, and once in a long back-off.
func TestWakeUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var clock sleepyClock
		w := newWorld(t, nil, "alice")
		alice := clock.dial(t, w, "alice")
		<-time.After(30 * time.Second)
		require.Len(t, w.net.dialed(), 1)
		clock.sleep(time.Hour)
		<-time.After(3100 * time.Millisecond)
		require.Len(t, w.net.dialed(), 2)
		require.Equal(t, 1, alice.State().Session)

		w.net.fail(true)
		<-time.After(40 * time.Second) // the back-off is at its longest
		for range 5 {
			before := len(w.net.dialed())
			clock.sleep(time.Hour)
			<-time.After(8 * time.Second) // found within three, and then at short intervals again
			require.Greater(t, len(w.net.dialed()), before+3)
		}
		w.net.fail(false)
		await(t, alice, session(1))
	})
}

// TestWakeUpInAnAttempt sleeps while the network takes its time.
func TestWakeUpInAnAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var clock sleepyClock
		w := newWorld(t, nil, "alice")
		alice := clock.dial(t, w, "alice")
		<-time.After(time.Second)
		hub := w.net.host("hub:1")
		w.net.listen("hub:1") // it answers nobody
		w.net.cut()
		synctest.Wait()
		require.Len(t, w.net.dialed(), 2)
		w.net.hosts.Store("hub:1", hub)
		clock.sleep(time.Hour)
		<-time.After(3100 * time.Millisecond)
		await(t, alice, session(1))
		require.Len(t, w.net.dialed(), 3)
	})
}
