package link

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// Group messages of all sizes come with their sender and group, to the handler of their name or to Receive, on one channel of several senders.
func TestGroupMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		handled := make(chan *channel.Message, 1)
		mux.Handle("h", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			handled <- m
			return nil
		})
		a, b := pair(t, nil, &Config{Mux: &mux, GroupMessages: true})
		b.Pull()
		bob := wire.GroupHead{Name: "bob", Key: crew.Key, Group: strings.Repeat("g", wire.MaxName)}
		for i, n := range []int{0, 1, 100, 2000, wire.MaxPayload - crew.Size(), wire.MaxPayload - crew.Size() + 1, 65536, 300000} {
			body := bytes.Repeat([]byte{byte(i + 1)}, n)
			for _, head := range []wire.GroupHead{crew, crew, bob} {
				require.NoError(t, a.SendGroup(t.Context(), head, "h", channel.Text, body))
				m := <-handled
				require.Equal(t, "h", m.Channel)
				require.Equal(t, head.Name, m.From.Name)
				require.Equal(t, head.Key[:], m.From.Key.Bytes())
				require.True(t, m.From.Unverified)
				require.Equal(t, head.Group, m.Group)
				require.Equal(t, channel.Text, m.Encoding)
				require.True(t, bytes.Equal(body, m.Body))
				require.NotNil(t, m.Body)
			}
		}
		require.NoError(t, a.SendGroup(t.Context(), crew, "p", channel.Raw, []byte("x")))
		require.NoError(t, a.Send(t.Context(), "p", channel.Raw, []byte("y")))
		m, err := b.Receive(t.Context(), "p")
		require.NoError(t, err)
		require.Equal(t, "crew", m.Group)
		m, err = b.Receive(t.Context(), "p")
		require.NoError(t, err)
		require.Equal(t, "", m.Group)
		require.Equal(t, "a", m.From.Name)
		require.NoError(t, a.Flush(t.Context()))
	})
}

// The head counts: what fits without it may be too large with it.
func TestGroupMessageTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{PeerMaxMessage: wire.MinMaxMessage})
		most := wire.MinMaxMessage - wire.MessageOverhead - crew.Size()
		for _, err := range []error{
			l.SendGroup(t.Context(), crew, "x", channel.Raw, make([]byte, most+1)),
			l.TrySend(&crew, "x", channel.Raw, make([]byte, most+1), true),
		} {
			require.ErrorIs(t, err, channel.CodeTooLarge)
		}
		require.NoError(t, l.SendGroup(t.Context(), crew, "x", channel.Raw, make([]byte, most)))
		require.ErrorContains(t, l.SendGroup(t.Context(), crew, "x", 3, nil), "encoding")
		require.ErrorContains(t, l.TrySend(&crew, "x", 3, nil, true), "encoding")
		require.ErrorIs(t, l.TrySend(&crew, "x", channel.Raw, nil, false), ErrFull)
		require.Equal(t, 4, strings.Count(strings.Join(r.lines(), " "), "MESSAGE 1"))
	})
}

// A head that is not one ends the link, also on a channel that is refused.
func TestBadGroupHeads(t *testing.T) {
	head := func(change func(*wire.GroupHead)) []byte {
		h := crew
		change(&h)
		return h.Append(nil)
	}
	whole := crew.Append(nil)
	for name, body := range map[string][]byte{
		"none":              {},
		"cut":               whole[:len(whole)-1],
		"empty name":        append([]byte{0}, whole[6:]...),
		"name not allowed":  head(func(h *wire.GroupHead) { h.Name = "a/b" }),
		"name not visible":  head(func(h *wire.GroupHead) { h.Name = "a\u200bb" }),
		"group not allowed": head(func(h *wire.GroupHead) { h.Group = ".." }),
		"low order key":     head(func(h *wire.GroupHead) { h.Key = [32]byte{1} }),
		"key not canonical": head(func(h *wire.GroupHead) { h.Key[31] |= 0x80 }),
	} {
		for _, channelName := range []string{"h", "nobody"} {
			t.Run(name+" on "+channelName, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l, r := against(t, &Config{Mux: blocking(), GroupMessages: true})
					l.Run()
					r.write(wire.AppendChannel(nil, 1, 0, wire.KindGroup, channelName), groupFrames(1, 10), groupFrames(1, 20))
					r.lines()
					r.write(wire.AppendMessage(nil, 1, 0, wire.MessageStart{}, slices.Concat(body)))
					require.Contains(t, r.lines(), "CLOSE 0 code 1")
				})
			})
		}
	}
	t.Run("request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := against(t, &Config{Mux: blocking(), GroupMessages: true})
			l.Run()
			r.write(wire.AppendChannel(nil, 1, 0, wire.KindGroup, "h"),
				wire.AppendMessage(nil, 1, wire.FlagRequest, wire.MessageStart{Request: 1, Allowance: wire.MinAllowance}, whole))
			require.Contains(t, r.lines(), "CLOSE 0 code 1")
			require.Empty(t, l.asked)
		})
	})
}

// A group channel that nobody handles is refused like any, and what it carries is dropped.
func TestGroupChannelIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{Mux: blocking(), GroupMessages: true})
		l.Run()
		r.write(wire.AppendChannel(nil, 1, 0, wire.KindGroup, "x"), groupFrames(1, 50000), groupFrames(1, 10))
		require.Equal(t, []string{"REFUSE 1 code 17"}, r.lines())
		require.Zero(t, arrivedBytes(l))
	})
}
