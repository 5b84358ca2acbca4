package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// TestNamesThatAClientChooses has a client make the server's application send on ever new channels,
// session after session of one instance: what is kept of them does not grow, because the sequences
// are begun anew, and the client is told so by another record.
func TestNamesThatAClientChooses(t *testing.T) {
	const rounds, each = 10, 1000
	inHub(t, func(s *server.Server) {
		s.Handler.Handle("subscribe", func(ctx context.Context, from channel.Conn, m *channel.Message) error {
			return from.Send(ctx, string(m.Body), nil)
		})
	}, func(t *testing.T, w *bubble, got *received) {
		records := map[[wire.IDSize]byte]int{}
		books := link.NewBooks(false) // the client's
		var before int64
		for round := range rounds {
			m := &member{w: w, name: "alice"}
			conn, welcome, err := m.shake(t.Context(), func(h *wire.Hello) { h.Features, h.Instance[0] = wire.FeatureResume, 1 })
			require.NoError(t, err)
			records[welcome.Record]++
			books.Welcomed(welcome.Record)
			m.conn = resume.New(conn, &resume.Config{Retry: func(time.Duration) {}})
			m.link = link.New(m.conn, &link.Config{Initiator: true, Peer: &channel.Peer{Name: "server"}, MaxChannels: wire.MaxChannels,
				Books: books})
			m.link.Pull()
			for i := range each {
				name := fmt.Sprintf("%s-%d-%d", strings.Repeat("x", 100), round, i)
				require.NoError(t, m.link.Send(t.Context(), "subscribe", channel.Raw, []byte(name)))
			}
			require.NoError(t, m.link.Flush(t.Context()))
			synctest.Wait()
			m.leave()
			<-time.After(10 * time.Second) // no timer of it is left
			synctest.Wait()
			if round == 0 {
				before = inUse()
			}
		}
		require.Less(t, inUse()-before, int64(link.BooksMemory))
		require.Len(t, records, rounds/2, "each is good for two rounds")
	})
}
