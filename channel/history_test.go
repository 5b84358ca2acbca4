package channel_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
)

func text(s string) *channel.Message { return &channel.Message{Channel: "news", Body: []byte(s)} }

// bodies gives what a page has, and checks that its numbers follow one another.
func bodies(t *testing.T, p channel.HistoryPage) []string {
	t.Helper()
	var out []string
	for i, e := range p.Entries {
		assert.Equal(t, p.Entries[0].Number+uint64(i), e.Number)
		assert.LessOrEqual(t, e.Number, p.Last)
		out = append(out, string(e.Message.Body))
	}
	return out
}

func entries(t *testing.T, h *channel.History, after uint64, most int) channel.HistoryPage {
	t.Helper()
	p, err := h.Entries(after, most)
	require.NoError(t, err)
	assert.Equal(t, h.Epoch(), p.Epoch)
	assert.Equal(t, h.Last(), p.Last)
	assert.False(t, p.Anew)
	return p
}

func TestHistoryNumbersWhatItIsGiven(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{Count: 3})
	p := entries(t, h, 0, 0)
	assert.Empty(t, p.Entries)
	assert.Zero(t, p.Lost)
	assert.Zero(t, p.Last)

	for i, s := range []string{"a", "b", "c", "d", "e"} {
		assert.EqualValues(t, i+1, h.Add(text(s)))
	}
	for _, c := range []struct {
		after uint64
		most  int
		want  []string
		lost  uint64
	}{
		{0, 0, []string{"c", "d", "e"}, 2}, {1, 0, []string{"c", "d", "e"}, 1}, {2, 0, []string{"c", "d", "e"}, 0},
		{3, 0, []string{"d", "e"}, 0},
		{5, 0, nil, 0}, {0, 1, []string{"c"}, 2}, {3, 1, []string{"d"}, 0}, {2, 9, []string{"c", "d", "e"}, 0},
		{2, -1, []string{"c", "d", "e"}, 0},
	} {
		p := entries(t, h, c.after, c.most)
		assert.Equal(t, c.want, bodies(t, p), "%v", c)
		assert.Equal(t, c.lost, p.Lost, "%v", c)
		if len(p.Entries) > 0 {
			assert.Equal(t, c.after+c.lost+1, p.Entries[0].Number)
		}
	}
}

func TestHistoryIsBoundedByBytes(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{Bytes: 10})
	for _, s := range []string{"aaaa", "bbbb", "cc"} {
		h.Add(text(s))
	}
	assert.Equal(t, []string{"aaaa", "bbbb", "cc"}, bodies(t, entries(t, h, 0, 0)), "just so")
	h.Add(text(""))
	assert.Len(t, entries(t, h, 0, 0).Entries, 4, "what is empty needs no room")
	h.Add(text("d"))
	assert.Equal(t, []string{"bbbb", "cc", "", "d"}, bodies(t, entries(t, h, 0, 0)))
	assert.Zero(t, h.Add(text("12345678901")), "larger than all of it")
	assert.EqualValues(t, 5, h.Last(), "what is not taken has no number")
	assert.EqualValues(t, 6, h.Add(text("1234567890")))
	p := entries(t, h, 0, 0)
	assert.Equal(t, []string{"1234567890"}, bodies(t, p))
	assert.EqualValues(t, 5, p.Lost)
}

func TestHistoryIsBoundedByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := channel.NewHistory(channel.HistoryConfig{Age: time.Minute})
		began := time.Now()
		h.Add(text("a"))
		<-time.After(30 * time.Second)
		h.Add(text("b"))
		<-time.After(30*time.Second - 1)
		assert.Equal(t, []string{"a", "b"}, bodies(t, entries(t, h, 0, 0)))
		<-time.After(1)
		p := entries(t, h, 0, 0)
		assert.Equal(t, []string{"b"}, bodies(t, p))
		assert.EqualValues(t, 1, p.Lost)
		assert.True(t, began.Add(30*time.Second).Equal(p.Entries[0].Time))
		<-time.After(time.Hour)
		p = entries(t, h, 1, 0)
		assert.Empty(t, p.Entries)
		assert.EqualValues(t, 1, p.Lost, "what came and is forgotten is a gap as well")
		assert.EqualValues(t, 2, p.Last)
		assert.Zero(t, entries(t, h, 2, 0).Lost)
		assert.EqualValues(t, 3, h.Add(text("c")), "numbers go on")
		assert.Equal(t, []string{"c"}, bodies(t, entries(t, h, 2, 0)))
	})
}

func TestHistoryFromTheFuture(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{})
	h.Add(text("a"))
	for _, after := range []uint64{2, 1 << 63, 1<<64 - 1} {
		p, err := h.Entries(after, 1)
		require.ErrorIs(t, err, channel.ErrFuture)
		require.ErrorIs(t, err, channel.CodeBadMessage)
		var e *channel.Error
		require.ErrorAs(t, err, &e)
		assert.Empty(t, p.Entries)
		assert.EqualValues(t, 1, p.Last)
		assert.ErrorIs(t, h.Wait(t.Context(), after), channel.ErrFuture)
	}
	assert.Empty(t, entries(t, h, 1, 1).Entries)
}

func TestHistoryKeepsCopies(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{})
	from := &channel.Peer{Name: "bob"}
	m := channel.NewRequest(&channel.Message{Channel: "a", Body: []byte("body"), Encoding: channel.Text, From: from, Missed: 3, Group: "g"},
		&answer{})
	h.Add(m)
	m.Body[0] = 'X'
	m.Group = "other"
	e := entries(t, h, 0, 0).Entries[0]
	assert.Equal(t, &channel.Message{Channel: "a", Body: []byte("body"), Encoding: channel.Text, From: from, Group: "g"}, e.Message)
	assert.False(t, e.Message.IsRequest(), "who reads it cannot answer it")

	p := entries(t, h, 0, 0)
	p.Entries[0] = channel.HistoryEntry{}
	assert.EqualValues(t, 1, entries(t, h, 0, 0).Entries[0].Number, "the slice is the caller's")
	assert.NotEqual(t, h.Epoch(), channel.NewHistory(channel.HistoryConfig{}).Epoch())
}

func TestHistoryDefaults(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{Count: -1, Bytes: -1, Age: -1})
	for range 1001 {
		h.Add(text(""))
	}
	assert.Len(t, entries(t, h, 0, 0).Entries, 1000)
	assert.Zero(t, h.Add(text(string(make([]byte, 1<<20+1)))))
	h.Add(text(string(make([]byte, 1<<20))))
	assert.NotZero(t, h.Add(text("a")))
	assert.Equal(t, []string{"a"}, bodies(t, entries(t, h, 0, 0)))
}

func TestHistoryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := channel.NewHistory(channel.HistoryConfig{Age: time.Second})
		done := make(chan error, 3)
		for range 3 {
			go func() { done <- h.Wait(t.Context(), 0) }()
		}
		synctest.Wait()
		assert.Empty(t, done)
		h.Add(text("a"))
		for range 3 {
			assert.NoError(t, <-done)
		}

		ended, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("cause")
		go func() { done <- h.Wait(ended, 1) }()
		synctest.Wait()
		assert.Empty(t, done)
		cancel(cause)
		assert.Equal(t, cause, <-done)
		assert.NoError(t, h.Wait(ended, 0), "it need not wait")
		assert.Equal(t, cause, h.Wait(ended, 1))

		<-time.After(time.Hour)
		assert.NoError(t, h.Wait(t.Context(), 0), "there was one: that it is forgotten is to be told")
	})
}

// One writes, others follow: each sees all there is, in order, or is told how much it has missed.
func TestHistoryIsFollowedByMany(t *testing.T) {
	const n = 2000
	h := channel.NewHistory(channel.HistoryConfig{Count: 50})
	var wg sync.WaitGroup
	for r := range 4 {
		wg.Go(func() { assert.NoError(t, follow(t.Context(), h, n, 1+r*20)) })
	}
	for i := range n {
		h.Add(text(fmt.Sprint(i + 1)))
	}
	wg.Wait()
}

// follow reads a history of numbers up to n.
func follow(ctx context.Context, h *channel.History, n uint64, most int) error {
	var after uint64
	for after < n {
		if err := h.Wait(ctx, after); err != nil {
			return err
		}
		p, err := h.Entries(after, most)
		if err != nil {
			return err
		}
		after += p.Lost
		for _, e := range p.Entries {
			if after++; e.Number != after || string(e.Message.Body) != fmt.Sprint(after) {
				return fmt.Errorf("entry %d is number %d with %q", after, e.Number, e.Message.Body)
			}
		}
		if len(p.Entries) == 0 {
			return errors.New("nothing came of waiting")
		}
	}
	return nil
}

func TestHistoryMiddleware(t *testing.T) {
	var mux channel.Mux
	conn := &loop{mux: &mux}
	h := channel.NewHistory(channel.HistoryConfig{})
	mux.Handle("news", h.Middleware()(func(_ context.Context, _ channel.Conn, m *channel.Message) error {
		assert.EqualValues(t, 1, h.Last()%2, "it is in the history when the handler is called")
		clear(m.Body)
		return channel.CodeBusy
	}))
	mux.Handle("other", func(context.Context, channel.Conn, *channel.Message) error { return nil })
	require.NoError(t, conn.Send(t.Context(), "news", []byte("a")))
	require.NoError(t, conn.Send(t.Context(), "other", []byte("b")))
	assert.Equal(t, []string{"a"}, bodies(t, entries(t, h, 0, 0)))
	assert.ErrorIs(t, conn.logged[0], channel.CodeBusy)

	mux.Use(h.Middleware())
	require.NoError(t, conn.Send(t.Context(), "other", []byte("c")))
	got := entries(t, h, 0, 0)
	assert.Equal(t, []string{"a", "c"}, bodies(t, got))
	assert.Equal(t, "loop", got.Entries[1].Message.From.Name)
}

// Nobody who does not read a history pays for more than the copy, however much it has forgotten.
func TestHistoryAddIsCheap(t *testing.T) {
	h := channel.NewHistory(channel.HistoryConfig{Count: 1000})
	m := text("body")
	for range 5000 {
		h.Add(m)
	}
	assert.LessOrEqual(t, testing.AllocsPerRun(5000, func() { h.Add(m) }), 2.0)
	assert.Zero(t, testing.AllocsPerRun(10, func() { _, _ = h.Entries(h.Last(), 0) }))
	got := entries(t, h, 0, 0).Entries
	assert.True(t, slices.IsSortedFunc(got, func(a, b channel.HistoryEntry) int { return int(a.Number) - int(b.Number) }))
	assert.Len(t, got, 1000)
}
