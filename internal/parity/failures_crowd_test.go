package parity_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// The server dies at 1,019 connections (`select`): here 1,100 are there at once, on real sockets,
// and each is heard and told. bench/faults has 5,000.
func TestWrong_HiSock_ManyConnections(t *testing.T) {
	const clients, dialers = 1100, 8
	heard := make(chan string, clients)
	w := hub(t, func(s *server.Server) {
		s.Keys.Open = true
		s.Handler.Handle("hello", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			heard <- m.From.Name
			return nil
		})
	})
	all := make([]*client.Client, clients)
	var dialing sync.WaitGroup
	var number atomic.Int64
	for range dialers {
		dialing.Go(func() {
			for i := number.Add(1) - 1; i < clients; i = number.Add(1) - 1 {
				f := testworld.NewKey(t, "c"+strconv.FormatInt(i, 10))
				f.Server = &keys.ServerRef{Address: w.Address, Key: w.Server.Keys.Public}
				c, err := client.Dial(t.Context(), "", &client.Config{Keys: f, Logger: silent()})
				if err != nil {
					t.Error(err)
					return
				}
				all[i] = c
			}
		})
	}
	dialing.Wait()
	defer func() {
		for _, c := range all {
			if c != nil {
				dialing.Go(func() { _ = c.Close() })
			}
		}
		dialing.Wait()
	}()
	require.Equal(t, clients, w.Server.Stats().Sessions)
	names := map[string]bool{}
	for _, c := range all {
		require.NoError(t, c.Send(t.Context(), "hello", nil))
	}
	for range clients {
		names[next(t, heard)] = true
	}
	require.Len(t, names, clients)
	report, err := w.Server.Broadcast(t.Context(), "news", []byte("to all"))
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Equal(t, clients, report.Reached)
	for _, c := range all {
		m, err := c.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "to all", string(m.Body))
	}
}

// A client does not notice that the server went away, and spins. Here it notices at once if it is
// told, in less than 30 s if not; it tries again at growing intervals, and is back when the server
// is.
func TestWrong_HiSock_ServerWentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		echo := func(s *server.Server) { s.Handler.Handle("test", testworld.Echo) }
		is := newIsland(t, echo, "alice")
		alice := is.join("alice", nil)
		stillServes(t, alice)
		is.stop()
		synctest.Wait()
		s := alice.State()
		require.NotEqual(t, client.Online, s.Phase)
		require.Error(t, s.Err, "it knows why")

		since := func(d time.Duration) int {
			before, _ := is.count()
			<-time.After(d)
			after, _ := is.count()
			return after - before
		}
		first := since(time.Minute)
		require.Less(t, first, 60)
		later := since(time.Hour)
		require.Less(t, later, 3600/2, "one in some seconds")
		require.Greater(t, later, 3600/20, "and it does not give up")
		begun := time.Now()
		is.serve(echo)
		stillServes(t, alice)
		require.LessOrEqual(t, time.Since(begun), 11*time.Second)

		// The server's host is gone without a word.
		begun = time.Now()
		is.silence(len(is.near) - 1)
		for s := range alice.States(t.Context()) {
			if s.Since.After(begun) { // it may be back before this reader sees that it was gone
				break
			}
		}
		require.LessOrEqual(t, time.Since(begun), 30*time.Second)
	})
}

// Duplicate names pick one silently: here another key is refused, and of the same key the newer
// session replaces the older, which is told so.
func TestWrong_HiSock_DuplicateNames(t *testing.T) {
	w := hub(t, func(s *server.Server) { s.Keys.Open = true }, "alice")
	old := w.Dial("alice", nil)
	for _, name := range []string{"alice", "Alice", "ａlice"} {
		f := testworld.NewKey(t, name)
		f.Server = w.Files["alice"].Server
		w.Files["other"] = f
		_, err := w.TryDial("other", nil)
		require.ErrorIs(t, err, channel.CodeNameTaken, name)
	}
	f := testworld.NewKey(t, "bob")
	f.Server, w.Files["bob"] = w.Files["alice"].Server, f
	require.ErrorIs(t, w.Dial("bob", nil).Rename(t.Context(), "alice"), channel.CodeNameTaken, "nor later")
	require.NoError(t, old.Context().Err())

	newer := w.Dial("alice", nil)
	<-old.Context().Done()
	require.ErrorIs(t, context.Cause(old.Context()), channel.CodeReplaced)
	require.NoError(t, session(t, w, "alice").Send(t.Context(), "test", []byte("for the newer")))
	m, err := newer.Receive(t.Context())
	require.NoError(t, err)
	require.Equal(t, "for the newer", string(m.Body))
}
