package client_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
)

// keeps has the hub answer with a history, as section 18 of the protocol has it.
func (h *hub) keeps(name string, history func() *channel.History) {
	key := testworld.NewKey(h.t, "bob").Public.Bytes()
	answer(h, service.History, func(ctx context.Context, r service.HistoryRequest) (service.HistoryPage, error) {
		if r.Name != name {
			return service.HistoryPage{}, channel.CodeUnknownPeer
		}
		kept := history()
		epoch := kept.Epoch()
		anew := len(r.Epoch) > 0 && !slices.Equal(r.Epoch, epoch[:])
		if anew {
			r.After = 0
		}
		if r.Wait {
			if err := kept.Wait(ctx, r.After); err != nil {
				return service.HistoryPage{}, err
			}
		}
		const most = 4
		if r.Max == 0 || r.Max > most {
			r.Max = most
		}
		page, err := kept.Entries(r.After, r.Max)
		if err != nil {
			return service.HistoryPage{}, err
		}
		out := service.HistoryPage{Epoch: epoch[:], Anew: anew, Lost: page.Lost, Last: page.Last}
		for _, e := range page.Entries {
			m := e.Message
			out.Entries = append(out.Entries, service.Entry{Number: e.Number, Time: e.Time.UnixMilli(), Channel: m.Channel, From: "bob",
				Key: key, Encoding: m.Encoding, Body: m.Body})
		}
		return out, nil
	})
}

// said adds messages with these numbers as their bodies.
func said(h *channel.History, from, to int) {
	for i := from; i <= to; i++ {
		h.Add(&channel.Message{Channel: "chat", Encoding: channel.Text, Body: []byte(fmt.Sprint(i))})
	}
}

func TestHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		kept := channel.NewHistory(channel.HistoryConfig{Count: 5})
		h := newHub(t)
		h.keeps("chat", func() *channel.History { return kept })
		alice := h.dial(nil)
		page, err := alice.History(ctx, "chat", 0, 0)
		require.NoError(t, err)
		require.Equal(t, channel.HistoryPage{Entries: []channel.HistoryEntry{}, Epoch: kept.Epoch()}, page)

		said(kept, 1, 8)
		page, err = alice.History(ctx, "chat", 1, 3)
		require.NoError(t, err)
		require.EqualValues(t, 2, page.Lost)
		require.EqualValues(t, 8, page.Last)
		require.False(t, page.Anew)
		require.Len(t, page.Entries, 3)
		for i, e := range page.Entries {
			require.EqualValues(t, i+4, e.Number)
			require.Equal(t, fmt.Sprint(i+4), string(e.Message.Body))
			require.Equal(t, channel.Text, e.Message.Encoding)
			require.Equal(t, "chat", e.Message.Channel)
			require.Equal(t, "bob", e.Message.From.Name)
			require.True(t, e.Message.From.Unverified)
			require.WithinDuration(t, time.Now(), e.Time, time.Second)
		}

		_, err = alice.History(ctx, "chat", 9, 0)
		require.ErrorIs(t, err, channel.CodeBadMessage)
		_, err = alice.History(ctx, "group/chat", 0, 0)
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		_, err = alice.History(ctx, strings.Repeat("g", 64)+"/"+strings.Repeat("c", 128), 0, 0)
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		for _, name := range []string{"", "a b", "\x1b[31m", "\u202egnp", strings.Repeat("c", 129), "g g/" + strings.Repeat("c", 128)} {
			var bad *keys.NameError
			_, err = alice.History(ctx, name, 0, 0)
			require.ErrorAs(t, err, &bad, "%q", name)
			for _, err = range alice.Follow(ctx, name, 0) {
			}
			require.ErrorAs(t, err, &bad, "%q", name)
		}
	})
}

// TestFollow reads on over a loss and a restart, and is told of what is missing.
func TestFollow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		kept := channel.NewHistory(channel.HistoryConfig{Count: 5})
		var now atomic.Pointer[channel.History]
		now.Store(kept)
		h := newHub(t)
		h.keeps("chat", now.Load)
		alice := h.dial(func(c *client.Config) { c.FailOffline = true })
		read := make(chan string, 100)
		over := make(chan struct{})
		go func() {
			defer close(over)
			for e, err := range alice.Follow(ctx, "chat", 0) {
				if err != nil {
					read <- err.Error()
					continue
				}
				read <- string(e.Message.Body)
			}
		}()
		reads := func(want ...string) {
			t.Helper()
			for _, w := range want {
				require.Equal(t, w, <-read)
			}
		}
		said(kept, 1, 3)
		reads("1", "2", "3")
		said(kept, 4, 4)
		reads("4")
		h.net.fail(true)
		said(kept, 5, 6)
		h.net.fail(false)
		reads("5", "6")
		h.net.fail(true)
		said(kept, 7, 20)
		h.net.fail(false)
		reads(`9 entries of the history "chat" are missing`, "16", "17", "18", "19", "20")

		kept = channel.NewHistory(channel.HistoryConfig{})
		said(kept, 100, 101)
		now.Store(kept)
		h.net.cut()
		reads(`the history "chat" began anew: what is missing is not known`, "100", "101")
		synctest.Wait()
		require.Empty(t, read)
		cancel()
		<-over
		require.Empty(t, read, "ctx is no error")
	})
}

// TestFollowEnds has loops that end by themselves.
func TestFollowEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := t.Context()
		kept := channel.NewHistory(channel.HistoryConfig{Count: 2})
		said(kept, 1, 5)
		h := newHub(t)
		h.keeps("chat", func() *channel.History { return kept })
		alice := h.dial(nil)
		var gap *client.HistoryGapError
		for e, err := range alice.Follow(ctx, "chat", 1) {
			require.Zero(t, e)
			require.ErrorAs(t, err, &gap)
			break
		}
		require.Equal(t, &client.HistoryGapError{Name: "chat", Lost: 2}, gap)
		for e, err := range alice.Follow(ctx, "chat", 3) {
			require.NoError(t, err)
			require.EqualValues(t, 4, e.Number)
			break
		}
		var err error
		for _, err = range alice.Follow(ctx, "chat", 6) {
		}
		require.ErrorIs(t, err, channel.CodeBadMessage)
		for _, err = range alice.Follow(ctx, "other", 0) {
		}
		require.ErrorIs(t, err, channel.CodeUnknownPeer)
		time.AfterFunc(time.Second, func() { alice.Close() })
		for _, err = range alice.Follow(ctx, "chat", 5) {
		}
		require.ErrorIs(t, err, channel.ErrClosed)
	})
}

// TestLyingHistory has the server give pages that cannot be.
func TestLyingHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHub(t)
		var page service.HistoryPage
		asked := 0
		answer(h, service.History, func(context.Context, service.HistoryRequest) (service.HistoryPage, error) {
			asked++
			return page, nil
		})
		alice := h.dial(nil)
		key := testworld.NewKey(t, "bob").Public.Bytes()
		entries := func(from, n uint64) []service.Entry {
			var all []service.Entry
			for i := range n {
				all = append(all, service.Entry{Number: from + i, Channel: "chat", From: "bob", Key: key})
			}
			return all
		}
		change := func(change func(*service.Entry)) []service.Entry {
			all := entries(11, 1)
			change(&all[0])
			return all
		}
		epoch := make([]byte, 16)
		for name, lie := range map[string]service.HistoryPage{
			"no epoch":           {Last: 10},
			"a long epoch":       {Last: 10, Epoch: make([]byte, 17)},
			"the past":           {Last: 9, Epoch: epoch},
			"too much lost":      {Last: 12, Lost: 3, Epoch: epoch},
			"nothing and more":   {Last: 11, Epoch: epoch},
			"lost without limit": {Last: 10, Lost: math.MaxUint64, Epoch: epoch},
			"a gap":              {Last: 12, Epoch: epoch, Entries: entries(12, 1)},
			"from before":        {Last: 12, Epoch: epoch, Entries: entries(10, 1)},
			"beyond the last":    {Last: 10, Epoch: epoch, Entries: entries(11, 1)},
			"twice":              {Last: 12, Epoch: epoch, Entries: append(entries(11, 1), entries(11, 1)...)},
			"more than asked":    {Last: 20, Epoch: epoch, Entries: entries(11, 4)},
			"too many":           {Last: 2000, Epoch: epoch, Entries: entries(11, 1025)},
			"anew, from 0":       {Last: 2000, Epoch: epoch, Anew: true, Entries: entries(0, 1)},
			"a channel":          {Last: 11, Epoch: epoch, Entries: change(func(e *service.Entry) { e.Channel = "a\nb" })},
			"a sender":           {Last: 11, Epoch: epoch, Entries: change(func(e *service.Entry) { e.From = "\x1b[31m" })},
			"a key":              {Last: 11, Epoch: epoch, Entries: change(func(e *service.Entry) { e.Key = nil })},
			"an encoding":        {Last: 11, Epoch: epoch, Entries: change(func(e *service.Entry) { e.Encoding = 3 })},
			"a time":             {Last: 11, Epoch: epoch, Entries: change(func(e *service.Entry) { e.Time = math.MinInt64 })},
		} {
			page = lie
			_, err := alice.History(t.Context(), "chat", 10, 3)
			var bad *channel.Error
			require.ErrorAs(t, err, &bad, name)
			require.Equal(t, channel.CodeBadMessage, bad.Code, name)
			require.False(t, bad.Remote, name)
			require.NotContains(t, err.Error(), "\n", name)
			require.NotContains(t, err.Error(), "\x1b", name)
		}

		// One that does not wait, and an epoch that it does not call anew.
		page, asked = service.HistoryPage{Last: 10, Epoch: epoch}, 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, err := range alice.Follow(ctx, "chat", 10) {
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Less(t, asked, 200)
		page.Last, page.Entries = 11, entries(11, 1)
		var err error
		for _, err = range alice.Follow(t.Context(), "chat", 10) {
			if err == nil {
				page = service.HistoryPage{Last: 11, Epoch: slices.Repeat([]byte{1}, 16)}
			}
		}
		require.ErrorIs(t, err, channel.CodeBadMessage)
	})
}
