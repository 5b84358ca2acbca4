package server_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/server"
)

// TestReportHidesTheUnseen: who may not see another learns only that somebody was not reached.
func TestReportHidesTheUnseen(t *testing.T) {
	inHub(t, func(s *server.Server) {
		allowAll(s)
		s.AllowSee = func(viewer, peer channel.Peer) error {
			if viewer.Name == "carol" && peer.Name == "alice" {
				return channel.CodeRefused
			}
			return nil
		}
	}, func(t *testing.T, w *bubble, _ *received) {
		for _, name := range []string{"alice", "bob"} {
			w.member(name, inGroups("g"))
		}
		carol := w.member("carol", nil)
		_, err := carol.sendGroup("g", "unheard", "x")
		require.NoError(t, err)
		synctest.Wait()
		report, err := carol.sendGroup("g", "unheard", "x")
		require.NoError(t, err)
		require.Equal(t, service.Report{Unreached: []service.Unreached{{Name: "bob", Key: w.files["bob"].Public.Bytes(),
			Code: channel.CodeNoHandler}}, More: 1}, report)
	})
}
