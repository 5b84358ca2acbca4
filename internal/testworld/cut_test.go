package testworld

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// TestCut cuts connections at either end of the network; what resumes goes on.
func TestCut(t *testing.T) {
	w := New(t, []string{"alice", "bob"}, func(s *server.Server) {
		s.Handler = new(channel.Mux)
		s.Handler.Handle("test", Echo)
	})
	var cable Cable
	c := w.Dial("alice", func(cfg *client.Config) { cfg.DialContext = cable.DialContext })
	ask := func() {
		t.Helper()
		m, err := c.Request(t.Context(), "test", []byte("x"))
		require.NoError(t, err)
		require.Equal(t, "x", string(m.Body))
	}
	ask()
	require.Equal(t, 1, cable.Dials())
	cable.Cut()
	ask()
	require.Positive(t, w.Net.Cut())
	ask()
	cable.Unplug()
	cable.Plug()
	ask()
	require.GreaterOrEqual(t, cable.Dials(), 4)

	conn, welcome, err := w.RawHello("bob", func(h *wire.Hello) { h.Features = wire.FeatureResume })
	require.NoError(t, err)
	require.EqualValues(t, wire.FeatureResume, welcome.Features)
	require.True(t, w.Net.CutFrom(conn.LocalAddr()))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.False(t, (&Net{}).CutFrom(conn.LocalAddr()))
}
