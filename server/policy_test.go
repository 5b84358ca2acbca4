package server_test

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

// syncBuffer is a buffer that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestPolicyPanics has the application's policies panic: whom they are asked for is refused, the
// log says why, and nothing else ends.
func TestPolicyPanics(t *testing.T) {
	var log syncBuffer
	w := testworld.New(t, []string{"alice", "bob"}, func(s *server.Server) {
		withEcho(s)
		s.Logger = slog.New(slog.NewTextHandler(&log, nil))
		s.AllowPipe = func(from, to channel.Peer) error { panic("no\npipes") }
		s.AllowGroups = func(channel.Peer, []string) error { panic("no\ngroups") }
	})
	alice := w.Dial("alice", nil)
	_, err := w.TryDial("bob", func(c *client.Config) { c.Groups = []string{"friends"} })
	require.ErrorIs(t, err, channel.CodeInternal)
	w.Dial("bob", nil)
	_, err = alice.OpenPipe(t.Context(), "bob")
	require.ErrorIs(t, err, channel.CodeInternal)
	_, err = alice.Request(t.Context(), "test", nil)
	require.NoError(t, err)
	for _, want := range []string{`policy=AllowPipe peer=alice panic="no\npipes" stack="goroutine `,
		`policy=AllowGroups peer=bob panic="no\ngroups" stack="goroutine `} {
		require.Contains(t, log.String(), want)
	}
}

// TestRefusedTakesNoName refuses strangers for reasons other than their names: those stay free.
func TestRefusedTakesNoName(t *testing.T) {
	w := testworld.New(t, []string{"alice"}, func(s *server.Server) {
		s.Keys.Open = true
		s.Names, _ = server.OpenNames("", nil) // which is in memory and cannot fail
		s.Limits.MaxSessions = 1
	})
	stranger := testworld.NewKey(t, "carol")
	stranger.Server = w.Files["alice"].Server
	w.Files["carol"] = stranger

	_, err := w.TryDial("carol", func(c *client.Config) { c.Groups = []string{"friends"} })
	require.ErrorIs(t, err, channel.CodeRefused)
	require.Zero(t, w.Server.Names.Len())

	w.Dial("alice", nil)
	_, err = w.TryDial("carol", nil)
	require.ErrorIs(t, err, channel.CodeLimit)
	require.Zero(t, w.Server.Names.Len())
}
