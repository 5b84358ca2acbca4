package client

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/keys"
)

// told are the events of a view, until it has no more.
func told(v *view, r *roster) (kinds []channel.PresenceKind) {
	for events := v.take(r.peers); events != nil; events = v.take(r.peers) {
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// TestSlowLoopStaysSmall has a server name clients without end that have left, or leave before a
// slow loop is told that they came. Somebody else asks for all of it.
func TestSlowLoopStaysSmall(t *testing.T) {
	const pages, perPage = 64, 16
	for name, states := range map[string][]channel.PeerState{
		"left":             {channel.Left},
		"came and left":    {channel.Here, channel.Left},
		"left, and anew":   {channel.Left, channel.Here, channel.Left},
		"away, and so off": {channel.Away, channel.Left},
	} {
		for _, more := range []bool{false, true} { // as news, or in a list that does not end
			r := newRoster()
			slow, quick := r.enter(), r.enter()
			number, to := uint64(0), uint64(0)
			page := func(state channel.PeerState, first uint64, n int) {
				to++
				p := &page{PresencePage: &service.PresencePage{Epoch: make([]byte, 16), To: to, More: more}}
				for i := range n {
					var b [32]byte
					binary.LittleEndian.PutUint64(b[:], first+uint64(i))
					key, err := keys.NewPublicKey(b[:])
					require.NoError(t, err)
					p.peers = append(p.peers, channel.PeerInfo{Peer: channel.Peer{Key: key}, State: state})
				}
				require.NoError(t, r.apply(p))
			}
			number += 1000
			page(channel.Here, number, 1)
			first := []channel.PresenceKind{channel.WasHere}
			if !more {
				first = append(first, channel.Listed)
			}
			require.Equal(t, first, told(slow, r))
			for range pages {
				number += perPage
				for _, state := range states {
					page(state, number+1000, perPage)
					told(quick, r)
				}
			}
			require.Len(t, r.peers, 1, name)
			require.LessOrEqual(t, len(r.seen), 1, name)
			require.Empty(t, slow.isDue, name)
			require.Zero(t, slow.due.Len(), name)

			// What it was told of it still is told of.
			page(channel.Left, 1000, 1)
			require.Equal(t, []channel.PresenceKind{channel.Went}, told(slow, r), name)
			require.Empty(t, slow.told, name)
		}
	}
}
