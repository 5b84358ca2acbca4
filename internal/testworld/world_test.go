package testworld

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWorld(t *testing.T) {
	w := New(t, []string{"alice", "bob"}, func(s *server.Server) {
		s.Handler = new(channel.Mux)
		s.Handler.Handle("test", Echo)
	})
	c := w.Dial("alice", nil)
	m, err := c.Request(t.Context(), "test", []byte("x"))
	require.NoError(t, err)
	require.Equal(t, "x", string(m.Body))
	w.Files["mallory"] = NewKey(t, "mallory")
	w.Files["mallory"].Server = w.Files["alice"].Server
	_, err = w.TryDial("mallory", nil)
	require.ErrorIs(t, err, channel.CodeUnknownKey)
}
