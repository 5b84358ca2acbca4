package server_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/server"
)

// TestOpenServer lets strangers in, under names that nobody had before.
func TestOpenServer(t *testing.T) {
	w := testworld.New(t, []string{"alice"}, func(s *server.Server) {
		s.Keys.Open = true
		s.Names, _ = server.OpenNames("", nil) // which is in memory and cannot fail
	})
	join := func(file, name string) error {
		f := testworld.NewKey(t, name)
		f.Server = w.Files["alice"].Server
		w.Files[file] = f
		c, err := w.TryDial(file, nil)
		if err == nil {
			require.Equal(t, name, c.Name())
		}
		return err
	}
	require.NoError(t, join("carol", "carol"))
	require.ErrorIs(t, join("other", "carol"), channel.CodeNameTaken)
	require.ErrorIs(t, join("other", "Carol"), channel.CodeNameTaken, "looks the same")
	require.ErrorIs(t, join("other", "alice"), channel.CodeNameTaken, "is on the list")
	require.ErrorIs(t, join("other", "Alice"), channel.CodeNameTaken, "looks like one on the list")
	require.ErrorIs(t, join("other", "server"), channel.CodeBadName)
	require.ErrorIs(t, join("other", ""), channel.CodeBadName)

	// The same key comes again, and may not take a second name.
	require.NoError(t, w.Dial("carol", nil).Close())
	w.Files["carol"].Name = "caroline"
	_, err := w.TryDial("carol", nil)
	require.ErrorIs(t, err, channel.CodeNameTaken)

	require.NoError(t, w.Server.Names.Release("carol"))
	require.NoError(t, join("other", "carol"))
}
