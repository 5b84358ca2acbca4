package server_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// numbers are those of a page's entries.
func numbers(page service.HistoryPage) (n []uint64) {
	for _, e := range page.Entries {
		n = append(n, e.Number)
	}
	return n
}

// TestHistoryService reads what was said, with gaps, anew, and from the future.
func TestHistoryService(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{Count: 5})
	inHub(t, func(s *server.Server) {
		allowAll(s)
		s.Histories = map[string]*channel.History{"work": h}
		s.Handler.Use(h.Middleware())
	}, func(t *testing.T, w *bubble, got *received) {
		alice, bob := w.member("alice", nil), w.member("bob", nil)
		read := func(req service.HistoryRequest) (service.HistoryPage, error) {
			req.Name = "work"
			return query[service.HistoryPage](bob, service.History, req)
		}
		page, err := read(service.HistoryRequest{})
		require.NoError(t, err)
		epoch := h.Epoch()
		require.Equal(t, service.HistoryPage{Epoch: epoch[:]}, page)
		for i := range 7 {
			alice.say(fmt.Sprint(i + 1))
		}
		require.Len(t, got.all(), 7)
		page, err = read(service.HistoryRequest{Epoch: page.Epoch})
		require.NoError(t, err)
		require.Equal(t, []uint64{3, 4, 5, 6, 7}, numbers(page))
		require.EqualValues(t, 2, page.Lost)
		require.EqualValues(t, 7, page.Last)
		require.False(t, page.Anew)
		require.Equal(t, service.Entry{Number: 3, Time: time.Now().UnixMilli(), Channel: "work", From: "alice",
			Key: w.files["alice"].Public.Bytes(), Body: []byte("3")}, page.Entries[0])
		page, err = read(service.HistoryRequest{Epoch: page.Epoch, After: 4, Max: 2})
		require.NoError(t, err)
		require.Equal(t, []uint64{5, 6}, numbers(page))
		require.Zero(t, page.Lost)
		page, err = read(service.HistoryRequest{Epoch: make([]byte, 16), After: 100})
		require.NoError(t, err)
		require.True(t, page.Anew)
		require.Equal(t, []uint64{3, 4, 5, 6, 7}, numbers(page))

		for _, wait := range []bool{false, true} {
			_, err = read(service.HistoryRequest{After: 8, Wait: wait})
			require.ErrorIs(t, err, channel.CodeBadMessage, "from the future")
			_, err = read(service.HistoryRequest{Max: -1, Wait: wait})
			require.ErrorIs(t, err, channel.CodeBadMessage)
		}
		_, err = query[any](bob, service.History, service.HistoryRequest{Name: "nothing"})
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
	})
}

// TestHistoryWaits: so many requests wait for what is to come, and others are answered meanwhile.
func TestHistoryWaits(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{})
	inHub(t, func(s *server.Server) {
		s.Histories = map[string]*channel.History{"news": h}
	}, func(t *testing.T, w *bubble, _ *received) {
		m := w.member("alice", nil)
		req := service.HistoryRequest{Name: "news", Wait: true}
		waiting := make([]*asked[service.HistoryPage], 8)
		for i := range waiting {
			waiting[i] = begin[service.HistoryPage](m, service.History, req)
		}
		_, err := query[any](m, service.History, req)
		require.ErrorIs(t, err, channel.CodeBusy)
		_, err = query[any](m, service.History, service.HistoryRequest{Name: "news"})
		require.NoError(t, err)
		for _, a := range waiting {
			require.True(t, a.waits())
		}
		waiting[0].cancel()
		require.False(t, waiting[0].waits())
		_, err = w.Broadcast(t.Context(), "news", []byte("x"))
		require.NoError(t, err)
		for _, a := range waiting[1:] {
			page, err := a.answer()
			require.NoError(t, err)
			require.Equal(t, []uint64{1}, numbers(page))
		}
		page, err := query[service.HistoryPage](m, service.History, req)
		require.NoError(t, err)
		require.Len(t, page.Entries, 1)
		req.After = 1
		last := begin[service.HistoryPage](m, service.History, req)
		began := time.Now()
		require.NoError(t, w.Shutdown(t.Context()))
		require.Equal(t, began, time.Now())
		_, err = last.answer()
		require.ErrorIs(t, err, channel.CodeShutdown)
	})
}

// TestHistoryOfAGroup is for its members, as long as they are.
func TestHistoryOfAGroup(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{})
	inHub(t, func(s *server.Server) {
		allowAll(s)
		s.Histories = map[string]*channel.History{"room/chat": h, "staff": channel.NewHistory(channel.HistoryConfig{})}
		s.AllowHistory = func(p channel.Peer, name string) error {
			if name == "staff" && p.Name != "bob" {
				return channel.CodeRefused
			}
			return nil
		}
	}, func(t *testing.T, w *bubble, _ *received) {
		alice, bob := w.member("alice", inGroups("room")), w.member("bob", nil)
		req := service.HistoryRequest{Name: "room/chat"}
		_, err := query[any](bob, service.History, req)
		require.ErrorIs(t, err, channel.CodeRefused)
		_, err = query[any](alice, service.History, service.HistoryRequest{Name: "staff"})
		require.ErrorIs(t, err, channel.CodeRefused)
		_, err = query[any](bob, service.History, service.HistoryRequest{Name: "staff"})
		require.NoError(t, err)
		_, err = bob.join("room")
		require.NoError(t, err)
		_, err = query[any](bob, service.History, req)
		require.NoError(t, err)
		req.Wait = true
		a := begin[any](bob, service.History, req)
		_, err = bob.quit("room")
		require.NoError(t, err)
		require.True(t, a.waits())
		_, err = w.Group("room").Send(t.Context(), "chat", []byte("for members"))
		require.NoError(t, err)
		_, err = a.answer()
		require.ErrorIs(t, err, channel.CodeRefused)
	})
}

// TestHistoryPages are bounded by what a page may have, and by what the client accepts.
func TestHistoryPages(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{Count: 3000, Bytes: 4 << 20})
	for range 1500 {
		h.Add(&channel.Message{Channel: "news"})
	}
	for range 8 {
		h.Add(&channel.Message{Channel: "news", Body: []byte(strings.Repeat("x", 60<<10))})
	}
	h.Add(&channel.Message{Channel: "news", Body: make([]byte, 1<<20)})
	inHub(t, func(s *server.Server) {
		s.Histories = map[string]*channel.History{"news": h}
	}, func(t *testing.T, w *bubble, _ *received) {
		alice, small := w.member("alice", nil), w.member("bob", func(h *wire.Hello) { offer(h); h.MaxMessage = wire.MinMaxMessage })
		pages := func(m *member) (sizes []int, lost uint64) {
			for after := uint64(0); after < h.Last(); {
				page, err := query[service.HistoryPage](m, service.History, service.HistoryRequest{Name: "news", After: after})
				require.NoError(t, err)
				lost += page.Lost
				after += page.Lost
				if len(page.Entries) == 0 {
					require.Equal(t, page.Last, after)
					continue
				}
				sizes = append(sizes, len(page.Entries))
				require.Equal(t, after+1, page.Entries[0].Number)
				after += uint64(len(page.Entries))
			}
			return sizes, lost
		}
		sizes, lost := pages(alice)
		require.Zero(t, lost)
		require.Equal(t, []int{1024, 480, 4, 1}, sizes)
		sizes, lost = pages(small)
		require.EqualValues(t, 1, lost, "the last is too large")
		sum := 0
		for _, n := range sizes {
			sum += n
		}
		require.Equal(t, 1508, sum)
		synctest.Wait()
		require.NoError(t, small.session().Context().Err())
	})
}

// TestBadHistories are mistakes of the program.
func TestBadHistories(t *testing.T) {
	for name, h := range map[string]*channel.History{"two words": channel.NewHistory(channel.HistoryConfig{}),
		"a/": channel.NewHistory(channel.HistoryConfig{}), "..": nil, "a*/b": channel.NewHistory(channel.HistoryConfig{})} {
		w := &server.Server{Keys: serverKeys(t), Histories: map[string]*channel.History{name: h}}
		require.ErrorContains(t, w.Shutdown(t.Context()), "history", name)
	}
}

func serverKeys(t *testing.T) *keys.File { return testworld.NewKey(t, keys.ServerName) }

// TestHistoryTooLarge: an entry that a client cannot take is missing for it, and those behind it are not.
func TestHistoryTooLarge(t *testing.T) {
	const most = wire.MinMaxMessage - wire.MessageOverhead // bytes of a page
	h := channel.NewHistory(channel.HistoryConfig{Bytes: 64 << 20})
	inHub(t, func(s *server.Server) {
		s.Histories = map[string]*channel.History{"news": h}
	}, func(t *testing.T, w *bubble, _ *received) {
		small := w.member("alice", func(h *wire.Hello) { offer(h); h.MaxMessage = wire.MinMaxMessage })
		ask := func(after uint64, max int, lost uint64, want ...uint64) {
			t.Helper()
			page, err := query[service.HistoryPage](small, service.History, service.HistoryRequest{Name: "news", After: after, Max: max,
				Wait: true})
			require.NoError(t, err)
			require.Equal(t, lost, page.Lost)
			require.Equal(t, want, numbers(page))
			require.Equal(t, h.Last(), page.Last)
		}
		from := &channel.Peer{Name: keys.ServerName, Key: w.Keys.Public}
		add := func(n int) { h.Add(&channel.Message{Channel: "news", From: from, Body: make([]byte, n)}) }
		add(100 << 10)
		ask(0, 0, 1)
		for _, n := range []int{1, 100 << 10, 200 << 10, most, 1, most - 200, most + 1} {
			add(n)
		}
		ask(0, 0, 1, 2)
		ask(2, 1, 3, 6)
		ask(6, 0, 0, 7) // it just fits
		ask(7, 0, 1)
		for range 2 * service.MaxEntries {
			add(most)
		}
		add(1)
		ask(8, 0, 2*service.MaxEntries, 2*service.MaxEntries+9)
	})
}
