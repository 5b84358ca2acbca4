package link

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// Group messages of all sizes come with their sender and group, to the handler of their name or to
// Receive, on one channel of several senders.
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
				require.NoError(t, a.SendGroup(t.Context(), NewGroupBody(head, body), "h", channel.Text))
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
		require.NoError(t, a.SendGroup(t.Context(), NewGroupBody(crew, []byte("x")), "p", channel.Raw))
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

// The head counts: what fits without it may be too large with it, and the error tells of what was given without it.
func TestGroupMessageTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, &Config{PeerMaxMessage: wire.MinMaxMessage})
		most := wire.MinMaxMessage - wire.MessageOverhead - crew.Size()
		large, fits := NewGroupBody(crew, make([]byte, most+1)), NewGroupBody(crew, make([]byte, most))
		for _, err := range []error{
			l.SendGroup(t.Context(), large, "x", channel.Raw),
			l.TrySend(large, "x", channel.Raw, nil, true),
		} {
			require.ErrorIs(t, err, channel.CodeTooLarge)
			require.ErrorContains(t, err, fmt.Sprintf("%d bytes, the other side takes at most %d", most+1, most))
		}
		require.NoError(t, l.SendGroup(t.Context(), fits, "x", channel.Raw))
		require.ErrorContains(t, l.SendGroup(t.Context(), fits, "x", 3), "encoding")
		require.ErrorContains(t, l.TrySend(fits, "x", 3, nil, true), "encoding")
		require.ErrorIs(t, l.TrySend(fits, "x", channel.Raw, nil, false), ErrFull)
		require.Equal(t, 5, strings.Count(strings.Join(r.lines(), " "), "MESSAGE 1"), "the frames of one")
	})
}

// One body goes on many links at once, and is its own: what it was made of may change.
func TestGroupBodyIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := bytes.Repeat([]byte("x"), 300000)
		g := NewGroupBody(crew, body)
		clear(body)
		for range 10 {
			a, b := pair(t, nil, &Config{GroupMessages: true})
			go func() { _ = a.SendGroup(t.Context(), g, "c", channel.Raw) }()
			go func() {
				m, err := b.Receive(t.Context())
				if assert.NoError(t, err) {
					assert.Equal(t, strings.Repeat("x", 300000), string(m.Body))
					clear(m.Body)
				}
			}()
		}
		synctest.Wait()
		require.Equal(t, append(crew.Append(nil), bytes.Repeat([]byte("x"), 300000)...), g.b)
	})
}

// A head that is not one ends the link, also on a channel that is refused; so does what else a
// group channel must not have.
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
	t.Run("numbers of an earlier link", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := against(t, &Config{Mux: blocking(), GroupMessages: true})
			l.Run()
			goesOn := wire.AppendChannel(nil, 1, 1, wire.KindApplication, "h")
			goesOn[wire.HeaderSize+8] = byte(wire.KindGroup)
			r.write(goesOn)
			require.Contains(t, r.lines(), "CLOSE 0 code 1")
			require.Empty(t, l.in)
		})
	})
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

// Group channels are counted apart at both ends: they take the application none of its own, and it leaves them theirs.
func TestGroupChannelsCountApart(t *testing.T) {
	t.Run("opened", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := against(t, nil)
			g := NewGroupBody(crew, nil)
			for i := range wire.MaxGroupChannels {
				require.NoError(t, l.TrySend(g, fmt.Sprint("g", i), channel.Raw, nil, true))
			}
			for _, err := range []error{
				l.TrySend(g, "more", channel.Raw, nil, true),
				l.SendGroup(t.Context(), g, "more", channel.Raw),
			} {
				require.Equal(t, &channel.Error{Code: channel.CodeLimit, Text: "a connection has at most 64 channels of group messages"},
					err)
			}
			l.LeaveOut(true, "more", 1)
			for i := range wire.MaxChannels - wire.MaxGroupChannels {
				require.NoError(t, l.Send(t.Context(), fmt.Sprint("a", i), channel.Raw, nil))
			}
			require.Equal(t, &channel.Error{Code: channel.CodeLimit, Text: "a connection has at most 960 channels"},
				l.Send(t.Context(), "more", channel.Raw, nil))
			_, err := l.RequestService(t.Context(), "more", nil)
			require.ErrorIs(t, err, channel.CodeLimit)
			require.NoError(t, l.SendGroup(t.Context(), g, "g0", channel.Raw))
			require.Len(t, l.outByID, wire.MaxChannels)
			require.Len(t, l.books.out, wire.MaxChannels-wire.MaxGroupChannels)
			require.Contains(t, r.lines(), "CHANNEL 1024")
		})
	})
	t.Run("opened last", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, _ := against(t, nil)
			var err error
			for i := 0; err == nil; i++ {
				err = l.Send(t.Context(), fmt.Sprint("a", i), channel.Raw, nil)
			}
			require.ErrorIs(t, err, channel.CodeLimit)
			for i := range wire.MaxGroupChannels {
				require.NoError(t, l.SendGroup(t.Context(), NewGroupBody(crew, nil), fmt.Sprint("g", i), channel.Raw))
			}
		})
	})
	t.Run("accepted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var mux channel.Mux
			mux.Fallback(func(context.Context, channel.Conn, *channel.Message) error { return nil })
			l, r := against(t, &Config{Mux: &mux, GroupMessages: true, MaxChannels: 2})
			l.Run()
			id := uint32(0)
			open := func(kind wire.Kind, n int) []string {
				for i := range n {
					id++
					r.write(wire.AppendChannel(nil, id, 0, kind, fmt.Sprintf("c%d.%d", id, i)))
				}
				return r.lines()
			}
			require.Empty(t, open(wire.KindApplication, 1))
			require.Empty(t, open(wire.KindGroup, wire.MaxGroupChannels))
			require.Empty(t, open(wire.KindApplication, 1))
			require.Equal(t, []string{"REFUSE 67 code 6", "REFUSE 68 code 6"}, open(wire.KindGroup, 2))
			require.Equal(t, []string{"REFUSE 69 code 6"}, open(wire.KindApplication, 1))
			require.Len(t, l.books.in, 2)
		})
	})
}

// However many group channels there are in the life of an instance, its books know nothing of them,
// and so are not begun anew because of others: what was taken stays taken.
func TestGroupChannelsAreInNoBooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := NewBooks(false), NewBooks(false)
		record := ours.Record()
		for round := range 2*wire.MaxChannels/wire.MaxGroupChannels + 1 {
			ca, cb := memnet.Pipe(memnet.Config{})
			a := start(t, ca, "b", &Config{Books: ours})
			b := start(t, cb, "a", &Config{Initiator: true, Books: theirs, GroupMessages: true})
			for i := range wire.MaxGroupChannels {
				require.NoError(t, a.SendGroup(t.Context(), NewGroupBody(crew, nil), fmt.Sprint(round, ".", i), channel.Raw))
				m, err := b.Receive(t.Context())
				require.NoError(t, err)
				require.Zero(t, m.Missed)
			}
			a.Cut(io.EOF)
			<-b.Done()
		}
		require.Empty(t, ours.out)
		require.Empty(t, theirs.in)
		require.Equal(t, record, ours.Record())
	})
}

// Group messages that are not taken, on channels that the application may never have used, neither
// hold up its Flush nor have it fail.
func TestFlushIsNotForGroupMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := against(t, nil)
		g := NewGroupBody(crew, []byte("x"))
		require.NoError(t, l.SendGroup(t.Context(), g, "refused", channel.Raw))
		require.NoError(t, l.SendGroup(t.Context(), g, "not-taken", channel.Raw))
		require.NoError(t, l.Send(t.Context(), "x", channel.Raw, nil))
		r.lines()
		r.write(reason(wire.TypeRefuse, 1, 17))
		flushed := make(chan error, 1)
		go func() { flushed <- l.Flush(t.Context()) }()
		require.Equal(t, []string{"PROBE 3 32"}, r.lines())
		require.Empty(t, flushed)
		r.write(credit(3, 32, 70000))
		synctest.Wait()
		require.Len(t, flushed, 1)
		require.NoError(t, <-flushed)
		require.ErrorIs(t, l.SendGroup(t.Context(), g, "refused", channel.Raw), channel.CodeNoHandler, "who sends there is told")
	})
}

// Group messages find no more room than there is for them, on however many channels they come, and
// take none from the application's own, large ones included.
func TestGroupMessagesRespectMaxQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 200000
		l, r := against(t, &Config{MaxQueued: most})
		r.silent = true
		full := 0
		g := NewGroupBody(crew, make([]byte, wire.InitialCredit-wire.MessageOverhead-crew.Size()))
		for i := range wire.MaxGroupChannels - 1 {
			if l.TrySend(g, fmt.Sprint(i), channel.Raw, nil, true) != nil {
				full++
			}
			synctest.Wait() // until as much has left as can
		}
		require.Greater(t, full, wire.MaxGroupChannels/2)
		require.Less(t, l.Queued(), most+largeBody+1000)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.SendGroup(ctx, NewGroupBody(crew, nil), "slow", channel.Raw) }()
		synctest.Wait()
		require.Empty(t, done, "a small one waits, too")
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.NoError(t, l.TrySend(nil, "own", channel.Raw, nil, false))
		require.NoError(t, l.TrySend(nil, "own", channel.Raw, make([]byte, 50000), false), "not onto an empty lane")
		synctest.Wait()
		require.False(t, l.sched.full(&l.out[wire.KindApplication]["own"].lane, 1<<20))

		done = make(chan error, 1)
		go func() { done <- l.SendGroup(t.Context(), NewGroupBody(crew, nil), "slow", channel.Raw) }()
		synctest.Wait()
		require.Empty(t, done)
		r.silent = false
		r.write(wire.AppendProgress(nil, l.pace.Sent))
		r.read()
		require.NoError(t, <-done, "when some have left")
		require.Zero(t, l.sched.foreign)
		require.Zero(t, l.sched.foreigners)
	})
}

// What group messages hold that nobody takes does not keep the application's channels from theirs;
// the next message to a group waits until there is room for it.
func TestGroupMessagesHaveABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		l, r := against(t, &Config{GroupMessages: true, MaxMessage: mib})
		l.Pull()
		fit := (mib + flow.GrowShare) / (mib - flow.Guaranteed)
		for i := 1; i <= fit; i++ {
			r.write(wire.AppendChannel(nil, uint32(i), 0, wire.KindGroup, fmt.Sprint("g", i)), wire.AppendAnnounce(nil, uint32(i), mib))
			require.Equal(t, []string{fmt.Sprintf("CREDIT %d 0 %d", i, mib)}, r.lines())
			r.write(groupFrames(uint32(i), mib-wire.MessageOverhead-crew.Size()))
		}
		next, own := uint32(fit+1), uint32(fit+2)
		r.write(wire.AppendChannel(nil, next, 0, wire.KindGroup, "next"), wire.AppendAnnounce(nil, next, mib))
		require.Empty(t, r.lines(), "there is no room")
		r.write(chFrame(own, "own"), wire.AppendAnnounce(nil, own, mib))
		require.Equal(t, []string{fmt.Sprintf("CREDIT %d 0 %d", own, mib)}, r.lines())
		r.write(msgFrames(own, mib-wire.MessageOverhead))
		_, err := l.Receive(t.Context(), "own")
		require.NoError(t, err)
		lines := r.lines()
		require.Len(t, lines, 1)
		require.Contains(t, lines[0], fmt.Sprintf("CREDIT %d ", own), "room of the one is none for the other")
		_, err = l.Receive(t.Context(), "g1")
		require.NoError(t, err)
		require.Contains(t, r.lines(), fmt.Sprintf("CREDIT %d 0 %d", next, mib))
		require.LessOrEqual(t, l.groupBudget.pool.Used(), uint64(mib+flow.GrowShare))
	})
}
