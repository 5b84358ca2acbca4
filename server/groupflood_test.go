package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// reader is a member in the group "g" over a line of its own, with the messages on "news" that it
// has received. It takes what else comes if all is set.
func (w *bubble) reader(line memnet.Config, all bool) (m *member, news func() int) {
	w.t.Helper()
	m = &member{w: w, name: "alice"}
	a, b := memnet.Pipe(line)
	w.ln.conns <- b
	conn, welcome, err := testworld.Enter(context.Background(), a, w.files[m.name], func(h *wire.Hello) {
		offer(h)
		inGroups("g")(h)
	})
	require.NoError(w.t, err)
	m.raw, m.welcome = a, welcome
	m.conn = resume.New(conn, &resume.Config{})
	m.link = link.New(m.conn, &link.Config{Initiator: true, Peer: &channel.Peer{Name: "server"}, Mux: new(channel.Mux),
		GroupMessages: true})
	m.link.Pull()
	var mu sync.Mutex
	var got int
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() { // stops when the test ends
		channels := []string{"news"}
		if all {
			channels = nil
		}
		for {
			msg, err := m.link.Receive(ctx, channels...)
			if err != nil {
				return
			}
			if msg.Channel == "news" {
				mu.Lock()
				got++
				mu.Unlock()
			}
		}
	})
	w.t.Cleanup(func() {
		cancel()
		reading.Wait()
		m.leave()
	})
	return m, func() int {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
}

// requireNews requires that all of the application's messages have come, and that it waits for none
// and ends no session.
func (w *bubble) requireNews(m *member, news func() int, n, size int, every time.Duration) {
	w.t.Helper()
	for range n {
		report, err := w.Broadcast(w.t.Context(), "news", make([]byte, size))
		require.NoError(w.t, err)
		require.Empty(w.t, report.Unreached)
		<-time.After(every)
	}
	<-time.After(30 * time.Second)
	require.Zero(w.t, w.Stats().TooSlow)
	require.NoError(w.t, m.session().Context().Err())
	require.Equal(w.t, n, news())
}

// TestGroupMessagesEndNoSession: what a member sends to a group, however much and however little of
// it is taken, does not keep a message of the application's from one who has the line for it and
// takes it.
func TestGroupMessagesEndNoSession(t *testing.T) {
	t.Run("large on a slow line", func(t *testing.T) {
		inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
			alice, news := w.reader(memnet.Config{Chunk: 64 << 10, Drip: 20 * time.Millisecond}, true)
			bob := w.member("bob", nil)
			for range 2 {
				_, err := bob.sendGroup("g", "x", strings.Repeat("x", 15<<20))
				require.NoError(t, err)
			}
			synctest.Wait()
			w.requireNews(alice, news, 3, 100<<10, time.Second)
		})
	})
	t.Run("many on a slow line", func(t *testing.T) {
		names := []string{"alice", "m0", "m1", "m2", "m3"}
		inHubOf(t, names, func(s *server.Server) {
			allowAll(s)
			s.Limits.SendQueue = 64 << 10
		}, func(t *testing.T, w *bubble, _ *received) {
			alice, news := w.reader(memnet.Config{Chunk: 2 << 10, Drip: 20 * time.Millisecond}, true)
			ctx, cancel := context.WithCancel(t.Context())
			var flood sync.WaitGroup
			for i := range 4 {
				m := w.member(fmt.Sprint("m", i), nil)
				flood.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						if _, err := m.sendGroup("g", fmt.Sprint("c", i, "-", n%16), strings.Repeat("x", 16<<10)); err != nil {
							return
						}
						<-time.After(20 * time.Millisecond)
					}
				})
			}
			<-time.After(2 * time.Second)
			w.requireNews(alice, news, 600, 7500, 100*time.Millisecond) // three quarters of the line
			cancel()
			flood.Wait()
		})
	})
	t.Run("large that nobody takes", func(t *testing.T) {
		inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
			alice, news := w.reader(memnet.Config{}, false)
			bob := w.member("bob", nil)
			for i := range 2 {
				report, err := bob.sendGroup("g", fmt.Sprint("junk", i), strings.Repeat("x", 10<<20-100))
				require.NoError(t, err)
				require.EqualValues(t, 1, report.Reached)
			}
			w.requireNews(alice, news, 3, 200<<10, time.Second)
			require.NoError(t, alice.session().Send(t.Context(), "other", make([]byte, 200<<10)))
		})
	})
}
