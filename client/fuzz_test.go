package client_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// FuzzAnswers reads what a server may answer: what is taken for a peer, a report or a page keeps
// all that is promised of them.
func FuzzAnswers(f *testing.F) {
	key := bytes.Repeat([]byte{9}, 32)
	peer := service.Peer{Name: "bob", Key: key, Groups: []string{"a", "b"}, State: service.Away, Since: 1_700_000_000_000,
		Away: 1_700_000_000_001}
	epoch := make([]byte, 16)
	entry := service.Entry{Number: 8, Time: 1, Channel: "chat", From: "bob", Key: key, Encoding: channel.Text, Body: []byte("x")}
	for _, v := range []any{
		peer, service.Peer{Key: key, State: service.Left}, service.Self{Groups: []string{"a"}},
		service.PresencePage{Epoch: epoch, All: true, To: 2, Peers: []service.Peer{peer, peer}},
		service.Report{Reached: 1, Unreached: []service.Unreached{{Name: "bob", Key: key, Code: channel.CodeLimit}}, More: 1},
		service.HistoryPage{Epoch: epoch, Lost: 3, Last: 9, Entries: []service.Entry{entry}},
		service.HistoryPage{Epoch: epoch, Anew: true, Last: 8, Entries: []service.Entry{entry}},
		service.HistoryPage{Epoch: epoch, Lost: 1, Last: 5}, map[string]any{"peers": 1}, nil,
	} {
		body, err := channel.Marshal(v)
		require.NoError(f, err)
		f.Add(body, uint64(4))
	}
	f.Fuzz(func(t *testing.T, body []byte, after uint64) {
		a := client.ReadAnswers(body, after)
		if a.Peer != nil {
			a.Presence = append(a.Presence, *a.Peer)
		}
		for _, p := range a.Presence {
			require.False(t, p.Key.IsZero())
			require.True(t, p.Unverified)
			if p.State == channel.Left {
				require.Empty(t, p.Name)
				continue
			}
			require.NoError(t, keys.CheckClientName(p.Name))
			require.True(t, slices.IsSorted(p.Groups))
			require.LessOrEqual(t, len(p.Groups), wire.MaxGroups)
		}
		if r := a.Report; r != nil {
			require.LessOrEqual(t, len(r.Unreached), service.MaxUnreached)
			require.GreaterOrEqual(t, min(r.Reached, r.More), 0)
			_ = r.Err()
		}
		if page := a.History; page != nil {
			next := after + page.Lost + 1
			switch {
			case page.Anew && len(page.Entries) > 0:
				next = page.Entries[0].Number
			case page.Anew:
				next = 0
			}
			for _, e := range page.Entries {
				require.Equal(t, next, e.Number)
				require.NoError(t, keys.CheckChannel(e.Message.Channel))
				require.NoError(t, keys.CheckName(e.Message.From.Name))
				next++
			}
			require.GreaterOrEqual(t, page.Last+1, next)
		}
	})
}
