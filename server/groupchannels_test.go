package server_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
)

// TestGroupChannels: a client may send to groups on 16 channels, so that it does not take all that a receiver has.
func TestGroupChannels(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", inGroups("g")), w.member("bob", inGroups("g"))
		for i := range 16 {
			name := fmt.Sprint("c", i)
			heard := bob.listen(name)
			_, err := alice.sendGroup("g", name, "x")
			require.NoError(t, err)
			require.Len(t, heard.take(), 1)
		}
		_, err := alice.sendGroup("g", "c16", "x")
		require.ErrorIs(t, err, channel.CodeLimit)
		_, err = alice.sendGroup("g", "c3", "x")
		require.NoError(t, err)
	})
}

// TestGroupChannelsOfManySessions: nor does one by coming again and again.
func TestGroupChannelsOfManySessions(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice := w.member("alice", inGroups("g"))
		alice.mux.Fallback(func(context.Context, channel.Conn, *channel.Message) error { return nil })
		for n := range 4 {
			bob := w.member("bob", func(h *wire.Hello) { h.Transient = true })
			for i := range 16 {
				report, err := bob.sendGroup("g", fmt.Sprint("c", n, "-", i), "x")
				require.NoError(t, err)
				if n == 0 {
					require.Equal(t, service.Report{Reached: 1}, report)
				} else {
					require.Equal(t, []service.Unreached{{Name: "alice", Key: w.files["alice"].Public.Bytes(), Code: channel.CodeLimit}},
						report.Unreached)
				}
			}
			bob.leave()
		}
		carol, bob := w.member("carol", nil), w.member("bob", nil)
		heard := alice.listen("chat")
		for _, m := range []*member{carol, bob} { // bob on a channel that carol has opened
			report, err := m.sendGroup("g", "chat", "hello")
			require.NoError(t, err)
			require.Equal(t, service.Report{Reached: 1}, report)
		}
		require.Len(t, heard.take(), 2)
	})
}
