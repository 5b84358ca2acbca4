package server_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/server"
)

// TestLagKeepsOrder: what goes to many and has to wait for one, what is left out behind it, and what the session is sent by itself arrive in their order, and nobody has waited.
func TestLagKeepsOrder(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", nil)
		hold := make(chan struct{})
		var got []string
		alice.mux.Handle("flood", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			<-hold
			head, _, _ := strings.Cut(string(m.Body), " ")
			got = append(got, fmt.Sprint(head, " missed ", m.Missed))
			return nil
		})
		fill := strings.Repeat("x", 16<<10)
		began := time.Now()
		var want []string
		for i := range 10 {
			report, err := w.Broadcast(t.Context(), "flood", []byte(strconv.Itoa(i)+" "+fill))
			require.NoError(t, err)
			require.Equal(t, 1, report.Reached)
			want = append(want, fmt.Sprint(i, " missed 0"))
		}
		for range 2 {
			report, err := w.TryBroadcast(&channel.Message{Channel: "flood", Body: []byte("left out")})
			require.NoError(t, err)
			require.Zero(t, report.Reached)
		}
		report, err := w.Broadcast(t.Context(), "flood", []byte("behind"))
		require.NoError(t, err)
		require.Equal(t, 1, report.Reached)
		require.Zero(t, time.Since(began))
		require.Greater(t, alice.session().Stats().Queued, 3*len(fill))

		sent := make(chan error, 1)
		go func() { sent <- alice.session().Send(t.Context(), "flood", []byte("last")) }()
		synctest.Wait()
		require.Empty(t, sent, "it waits for its turn")
		quick := alice.listen("other")
		require.NoError(t, alice.session().Send(t.Context(), "other", []byte("not behind anything")))
		require.Equal(t, []string{"not behind anything"}, quick.texts())

		close(hold)
		require.NoError(t, <-sent)
		require.NoError(t, alice.session().Flush(t.Context()))
		synctest.Wait()
		require.Equal(t, append(want, "behind missed 2", "last missed 0"), got)
		require.Zero(t, alice.session().Stats().Queued)
	})
}

// TestLagOfWhoIsAway: one that is away keeps its place, and what was sent to it, as long as there is room; then it has to go, and nobody waits for that either.
func TestLagOfWhoIsAway(t *testing.T) {
	const queue = 64 << 10
	small := func(s *server.Server) {
		allowAll(s)
		s.Limits = server.Limits{SendQueue: queue, ResumeBuffer: 192 << 10}
	}
	for name, n := range map[string]int{"room": 5, "none": 40} {
		t.Run(name, func(t *testing.T) {
			inHub(t, small, func(t *testing.T, w *bubble, _ *received) {
				alice := w.member("alice", nil)
				heard := alice.listen("flood")
				sess := alice.session()
				alice.cut()
				synctest.Wait()
				began, reached := time.Now(), 0
				for range n {
					report, err := w.Broadcast(t.Context(), "flood", make([]byte, 16<<10))
					require.NoError(t, err)
					reached += report.Reached
				}
				require.Zero(t, time.Since(began))
				if name == "none" {
					require.Less(t, reached, 20)
					require.EqualValues(t, 1, w.Stats().TooSlow)
					<-sess.Context().Done()
					return
				}
				require.Equal(t, n, reached)
				<-time.After(time.Minute) // many times SlowTimeout
				require.NoError(t, alice.comeBack())
				<-time.After(time.Second)
				require.Len(t, heard.take(), n)
			})
		})
	}
}
