package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/server"
)

// sendGroup asks the server to send to a group.
func (m *member) sendGroup(group, name, body string) (service.Report, error) {
	return query[service.Report](m, service.Send, service.GroupMessage{Group: group, Channel: name, Encoding: channel.Text,
		Body: []byte(body)})
}

// TestGroupSend sends to the others in a group, who learn who it was and where.
func TestGroupSend(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{})
	inHub(t, func(s *server.Server) {
		allowAll(s)
		s.AllowGroupSend = func(from channel.Peer, group string, m *channel.Message) error {
			if m.Group != group || m.From.Key != from.Key || string(m.Body) == "spam" {
				return channel.CodeRefused
			}
			return nil
		}
		s.Histories = map[string]*channel.History{"room/chat": h}
	}, func(t *testing.T, w *bubble, _ *received) {
		alice, bob, carol := w.member("alice", inGroups("room")), w.member("bob", inGroups("room")), w.member("carol", inGroups("other"))
		got := map[*member]*inbox{alice: alice.listen("chat"), bob: bob.listen("chat"), carol: carol.listen("chat")}
		_, err := alice.rename("al")
		require.NoError(t, err)
		report, err := alice.sendGroup("room", "chat", "hello")
		require.NoError(t, err)
		require.Equal(t, service.Report{Reached: 1}, report)
		require.Empty(t, got[alice].take())
		require.Empty(t, got[carol].take())
		in := got[bob].take()
		require.Len(t, in, 1)
		require.Equal(t, "hello", string(in[0].Body))
		require.Equal(t, channel.Text, in[0].Encoding)
		require.Equal(t, "room", in[0].Group)
		require.Equal(t, &channel.Peer{Name: "al", Key: w.files["alice"].Public, Unverified: true}, in[0].From)

		_, err = alice.sendGroup("room", "chat", "spam")
		require.ErrorIs(t, err, channel.CodeRefused)
		for _, group := range []string{"nowhere", "other"} {
			_, err = carol.sendGroup(group, "chat", "anybody?")
			require.ErrorIs(t, err, channel.CodeUnknownPeer)
		}
		report, err = carol.sendGroup("room", "chat", "from outside")
		require.NoError(t, err)
		require.Equal(t, 2, report.Reached)
		require.Equal(t, []string{"from outside"}, got[alice].texts())
		require.Equal(t, []string{"from outside"}, got[bob].texts())

		// Who has no handler is told of, with the code.
		_, err = alice.sendGroup("room", "unheard", "?")
		require.NoError(t, err)
		synctest.Wait()
		report, err = alice.sendGroup("room", "unheard", "?")
		require.NoError(t, err)
		require.Equal(t, []service.Unreached{{Name: "bob", Key: w.files["bob"].Public.Bytes(), Code: channel.CodeNoHandler}},
			report.Unreached)

		page, err := h.Entries(0, 0)
		require.NoError(t, err)
		require.Len(t, page.Entries, 2)
		require.Equal(t, "al", page.Entries[0].Message.From.Name)
		require.Equal(t, "room", page.Entries[0].Message.Group)
		require.Equal(t, "from outside", string(page.Entries[1].Message.Body))
	})
}

// TestBroadcast sends to all, and to a group, from the server; what is sent is recorded.
func TestBroadcast(t *testing.T) {
	all, room := channel.NewHistory(channel.HistoryConfig{}), channel.NewHistory(channel.HistoryConfig{})
	inHub(t, func(s *server.Server) {
		allowAll(s)
		s.Histories = map[string]*channel.History{"news": all, "room/news": room}
	}, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", inGroups("room")), w.member("bob", nil)
		for i := range 20 {
			report, err := w.Broadcast(t.Context(), "news", fmt.Append(nil, i))
			require.NoError(t, err)
			require.Equal(t, channel.Report{Reached: 2}, report)
		}
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprint(i))
		}
		require.Equal(t, want, alice.got.all())
		require.Equal(t, want, bob.got.all())
		report, err := w.Group("room").Send(t.Context(), "news", []byte("x"))
		require.NoError(t, err)
		require.Equal(t, channel.Report{Reached: 1}, report)
		require.Equal(t, append(want, "x"), alice.got.all())
		require.Equal(t, want, bob.got.all())
		report, err = w.Group("nobody").Send(t.Context(), "news", nil)
		require.NoError(t, err)
		require.Zero(t, report)
		require.Equal(t, "nobody", w.Group("nobody").Name())

		_, err = w.Broadcast(t.Context(), "two words", nil)
		require.ErrorIs(t, err, channel.CodeBadName)
		_, err = w.Group("room").SendMessage(t.Context(), &channel.Message{Channel: "news", Encoding: 3})
		require.ErrorIs(t, err, channel.CodeBadMessage)
		// A history whose name has a slash is a group's: what goes to all on a channel of that name is not in it.
		_, err = w.Broadcast(t.Context(), "room/news", nil)
		require.NoError(t, err)
		require.EqualValues(t, 20, all.Last())
		require.EqualValues(t, 1, room.Last())
		page, err := all.Entries(19, 0)
		require.NoError(t, err)
		require.Equal(t, &channel.Peer{Name: "server", Key: w.Keys.Public}, page.Entries[0].Message.From)
	})
}

// crowd is a server with many members of the group "all", of which the first does not read.
func crowd(t *testing.T, n int, f func(t *testing.T, w *bubble, deaf *member, others []*member)) {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("m", i)
	}
	inHubOf(t, names, func(s *server.Server) {
		allowAll(s)
		s.Limits = server.Limits{SendQueue: 64 << 10, ResumeBuffer: 192 << 10}
	}, func(t *testing.T, w *bubble, _ *received) {
		members := make([]*member, n)
		for i, name := range names {
			members[i] = w.member(name, func(h *wire.Hello) {
				inGroups("all")(h)
				if i == 0 {
					h.MaxMessage = wire.MinMaxMessage
				}
			})
		}
		// Its application takes nothing: what is sent to it waits, at last with the sender.
		deaf := members[0]
		deaf.mux.Handle("flood", func(ctx context.Context, _ channel.Conn, _ *channel.Message) error {
			<-ctx.Done()
			return nil
		})
		f(t, w, deaf, members[1:])
	})
}

// TestBroadcastToOneWhoIsDeaf: one that does not take anything delays none of the others, holds up
// the caller for SlowTimeout at most when its queue is full, and is ended with a reason.
func TestBroadcastToOneWhoIsDeaf(t *testing.T) {
	crowd(t, 64, func(t *testing.T, w *bubble, deaf *member, others []*member) {
		boxes := make([]*inbox, len(others))
		for i, m := range others {
			boxes[i] = m.listen("flood")
		}
		sess := deaf.session()
		body := make([]byte, 4<<10)
		send := func() channel.Report {
			report, err := w.Broadcast(t.Context(), "flood", body)
			require.NoError(t, err)
			return report
		}
		sent := 0
		for over := false; !over; sent++ {
			require.Less(t, sent, 100, "its credit is used up")
			began := time.Now()
			var report channel.Report
			done := make(chan struct{})
			go func() { report = send(); close(done) }()
			synctest.Wait()
			for i := range boxes {
				require.Equal(t, 1, boxes[i].count(), "at once")
			}
			<-done
			if err := report.Err(); err != nil {
				over = true
				require.LessOrEqual(t, time.Since(began), 5*time.Second)
				require.ErrorIs(t, err, channel.CodeLimit)
				require.Len(t, report.Unreached, 1)
				require.Equal(t, "m0", report.Unreached[0].Peer.Name)
				require.Equal(t, len(others), report.Reached)
			}
		}
		require.Greater(t, sent, 10)
		<-deaf.link.Context().Done()
		var closed *channel.CloseError
		require.ErrorAs(t, context.Cause(deaf.link.Context()), &closed)
		require.Equal(t, channel.CloseError{Code: channel.CodeLimit, Text: "too slow"}, *closed)
		require.Error(t, sess.Context().Err())
		require.EqualValues(t, 1, w.Stats().TooSlow)
		report := send()
		require.Equal(t, channel.Report{Reached: len(others)}, report)
	})
}

// TestBroadcastKeepsOrder: what one caller sends arrives in order, at those that take it at once
// and at one that does not.
func TestBroadcastKeepsOrder(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice, bob, carol := w.member("alice", inGroups("g")), w.member("bob", inGroups("g")), w.member("carol", inGroups("g"))
		quick := map[string]*inbox{"news2": alice.listen("news2"), "chat": alice.listen("chat")}
		var mu sync.Mutex
		slow := map[string][]string{}
		for name := range quick {
			bob.mux.Handle(name, func(_ context.Context, _ channel.Conn, m *channel.Message) error {
				<-time.After(100 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				slow[m.Channel] = append(slow[m.Channel], string(m.Body))
				return nil
			})
		}
		var want []string
		for i := range 40 {
			body := fmt.Sprintf("%d %s", i, strings.Repeat("x", 8<<10))
			want = append(want, body)
			report, err := w.Broadcast(t.Context(), "news2", []byte(body))
			require.NoError(t, err)
			require.GreaterOrEqual(t, report.Reached, 2)
			told, err := carol.sendGroup("g", "chat", body)
			require.NoError(t, err)
			require.Equal(t, 2, told.Reached)
		}
		<-time.After(10 * time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		for name, box := range quick {
			require.Equal(t, want, box.texts(), name)
			require.Equal(t, want, slow[name], name)
		}
	})
}

// TestTryBroadcast leaves one out that does not take anything, which is told how many it has missed.
func TestTryBroadcast(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", inGroups("g")), w.member("bob", nil)
		heard := bob.listen("flood")
		hold := make(chan struct{})
		var missed []uint64
		alice.mux.Handle("flood", func(_ context.Context, _ channel.Conn, m *channel.Message) error {
			<-hold
			missed = append(missed, m.Missed)
			return nil
		})
		body := make([]byte, 16<<10)
		left, sent := 0, 0
		for ; left < 5; sent++ {
			var report channel.Report
			var err error
			if sent%2 == 0 {
				report, err = w.TryBroadcast(&channel.Message{Channel: "flood", Body: body})
			} else {
				report, err = w.Group("g").TrySend(&channel.Message{Channel: "flood", Body: body})
			}
			require.NoError(t, err)
			for _, u := range report.Unreached {
				require.Equal(t, "alice", u.Peer.Name)
				require.ErrorIs(t, u.Err, channel.CodeLimit)
				left++
			}
			synctest.Wait()
		}
		require.Len(t, heard.take(), (sent+1)/2)
		require.EqualValues(t, 5, alice.session().Stats().Dropped)
		require.Zero(t, bob.session().Stats().Dropped)
		close(hold)
		synctest.Wait()
		_, err := w.Broadcast(t.Context(), "flood", nil)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, append(make([]uint64, sent-5), 5), missed)
		require.NoError(t, alice.session().Context().Err())
	})
}

// TestBroadcastEndsWithCtx: whom it waits for when ctx ends is reported, and not ended.
func TestBroadcastEndsWithCtx(t *testing.T) {
	crowd(t, 2, func(t *testing.T, w *bubble, deaf *member, others []*member) {
		others[0].listen("flood")
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			report, err := w.Group("all").Send(ctx, "flood", make([]byte, 16<<10))
			cancel()
			require.NoError(t, err)
			require.GreaterOrEqual(t, report.Reached, 1)
			if len(report.Unreached) > 0 {
				require.ErrorIs(t, report.Err(), context.DeadlineExceeded)
				break
			}
		}
		require.NoError(t, deaf.session().Context().Err())
		require.Zero(t, w.Stats().TooSlow)
	})
}

// TestManySendToOneWhoIsDeaf: as much as Limits.SendQueue waits for one of what other clients send.
// For more they wait SlowTimeout in all, then the rest is left out; the one is not ended: others
// must not be able to.
func TestManySendToOneWhoIsDeaf(t *testing.T) {
	crowd(t, 13, func(t *testing.T, w *bubble, deaf *member, others []*member) {
		for _, m := range others {
			m.listen("flood")
		}
		fill := strings.Repeat("x", 16<<10)
		began := time.Now()
		reached := 0
		for i := range 40 {
			report, err := others[i%len(others)].sendGroup("all", "flood", fill)
			require.NoError(t, err)
			if len(report.Unreached) == 0 {
				reached++
				continue
			}
			require.Equal(t, []service.Unreached{{Name: "m0", Key: w.files["m0"].Public.Bytes(), Code: channel.CodeLimit}},
				report.Unreached)
		}
		require.LessOrEqual(t, time.Since(began), 6*time.Second)
		require.GreaterOrEqual(t, time.Since(began), 5*time.Second)
		require.Less(t, reached, 10)
		require.EqualValues(t, 40-reached, deaf.session().Stats().Dropped)
		_, err := others[0].sendGroup("all", "other", strings.Repeat("x", 100<<10))
		require.NoError(t, err)
		<-time.After(time.Minute)
		require.NoError(t, deaf.session().Context().Err())
		require.Zero(t, w.Stats().TooSlow)

		quick := deaf.listen("quick")
		_, err = w.Broadcast(t.Context(), "quick", []byte("there is room for what the server says"))
		require.NoError(t, err)
		require.Len(t, quick.take(), 1)
	})
}

// TestLargeGroupMessage is larger than any window, for more than get it at once, one of whom cannot take it at all.
func TestLargeGroupMessage(t *testing.T) {
	crowd(t, 40, func(t *testing.T, w *bubble, small *member, others []*member) {
		small.listen("large")
		var boxes []*inbox
		for _, m := range others {
			boxes = append(boxes, m.listen("large"))
		}
		body := strings.Repeat("x", 300<<10)
		for range 2 {
			report, err := others[0].sendGroup("all", "large", body)
			require.NoError(t, err)
			require.Equal(t, len(others)-1, report.Reached)
			require.Equal(t, []service.Unreached{{Name: "m0", Key: w.files["m0"].Public.Bytes(), Code: channel.CodeTooLarge}},
				report.Unreached)
			synctest.Wait()
			for _, b := range boxes[1:] {
				require.Equal(t, []string{body}, b.texts())
			}
		}
	})
}

// TestGroupMessageForWhoIsAway waits for its return.
func TestGroupMessageForWhoIsAway(t *testing.T) {
	inHub(t, allowAll, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", inGroups("g")), w.member("bob", inGroups("g"))
		heard := bob.listen("chat")
		bob.cut()
		report, err := alice.sendGroup("g", "chat", "for later")
		require.NoError(t, err)
		require.Equal(t, 1, report.Reached)
		require.NoError(t, bob.comeBack())
		require.Equal(t, []string{"for later"}, heard.texts())
	})
}
