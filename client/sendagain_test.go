package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

// TestSendAgainOnTwoChannels sends again what each channel has lost, as the documentation of
// channel.GapError says, through several losses: everything comes once and in order.
func TestSendAgainOnTwoChannels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		got := map[string]*record{"a": {}, "b": {}, "c": {}}
		set := func(s *server.Server) {
			for name, at := range got {
				s.Handler.Handle(name, at.take)
			}
		}
		w := newWorld(t, set, "alice")
		alice := w.dial("alice", nil)
		texts := map[string][][]byte{} // what Send has accepted on each channel
		var send func(name string, body []byte)
		again := func(err error) {
			var gap *channel.GapError
			require.ErrorAs(t, err, &gap)
			lost := map[string][][]byte{}
			for _, g := range gap.Channels {
				sent := texts[g.Channel]
				lost[g.Channel] = sent[len(sent)-int(g.Lost):]
			}
			for name, bodies := range lost {
				for _, body := range bodies {
					send(name, body)
				}
			}
		}
		send = func(name string, body []byte) {
			err := alice.Send(ctx, name, body)
			for ; err != nil; err = alice.Send(ctx, name, body) {
				again(err)
			}
			texts[name] = append(texts[name], body)
		}
		next := map[string]int{}
		for round := range 4 {
			for _, name := range []string{"a", "b", "c"}[:2+round%2] {
				send(name, numbered(next[name], 0))
				next[name]++
			}
			require.NoError(t, alice.Flush(ctx))
			w.net.fail(true)
			await(t, alice, phase(client.Resuming))
			for i, name := range []string{"a", "b", "c"}[:2+round%2] {
				for range i + 2 {
					send(name, numbered(next[name], 0))
					next[name]++
				}
			}
			w.restart(set)
			await(t, alice, session(round+2))
			if round%2 == 0 {
				send("a", numbered(next["a"], 0))
				next["a"]++
			}
			for err := alice.Flush(ctx); err != nil; err = alice.Flush(ctx) {
				again(err)
			}
		}
		for name, at := range got {
			require.Equal(t, upTo(next[name]), at.taken(), name)
		}
	})
}
