package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/examples/internal/extest"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

func TestMain(m *testing.M) {
	extest.RunAsExample(main)
	goleak.VerifyTestMain(m)
}

// TestReconnect closes a server that takes the first message and no other, and says so when it
// goes, and has another with the same key at the second address.
func TestReconnect(t *testing.T) {
	began := make(chan struct{})
	w := testworld.New(t, []string{"alice"}, func(s *server.Server) {
		s.ReturnAfter = time.Millisecond // which the client obeys
		s.Handler = new(channel.Mux)
		s.Handler.Handle("test", func(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
			close(began)
			<-ctx.Done()
			return nil
		})
	})
	second, took := standby(t, w)
	w.Files["alice"].Server.Also = []string{second}

	p := extest.Start(t, extest.Files(t, w.Files), "alice.yaml", "one", "two", "three")
	line := p.Line()
	for isState(line) {
		line = p.Line()
	}
	require.Equal(t, "sent: 3", line)
	<-began
	require.NoError(t, w.Server.Close())

	lines := strings.Split(strings.TrimSpace(p.Wait()), "\n")
	assert.Equal(t, "state: offline, session 2", lines[len(lines)-1])
	assert.Equal(t, []string{"a session was lost: 1 of 3 messages are known to have been taken", "sent: 2"},
		slices.DeleteFunc(lines, isState))
	close(took)
	var texts []string
	for text := range took {
		texts = append(texts, text)
	}
	assert.Equal(t, []string{"two", "three"}, texts)
}

// isState reports whether a line comes from show, which is not in step with the others and does not print every state.
func isState(line string) bool { return strings.HasPrefix(line, "state: ") }

// standby serves the clients of a world at another address, and collects what they send.
func standby(t *testing.T, w *testworld.World) (address string, took chan string) {
	took = make(chan string, 16)
	other := &server.Server{Keys: w.Server.Keys, Handler: new(channel.Mux), Logger: w.Server.Logger}
	other.Handler.Handle("test", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		took <- string(m.Body)
		return nil
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- other.Serve(context.Background(), ln) }() // stops with Close
	t.Cleanup(func() {
		assert.NoError(t, other.Close())
		if err := <-served; !errors.Is(err, server.ErrServerClosed) {
			t.Error(err)
		}
	})
	return ln.Addr().String(), took
}
