package channel

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// What a HistoryConfig of zeros stands for.
const (
	defaultHistoryCount = 1000
	defaultHistoryBytes = 1 << 20
)

// ErrFuture is the error of a [History] that is asked for what follows an entry that it never had.
// It is an *Error with CodeBadMessage. The number may be one of another history, or from before the
// server started anew: see [History.Epoch].
var ErrFuture error = &Error{Code: CodeBadMessage, Text: "the history has not come that far"}

// HistoryConfig bounds a [History]. What goes beyond one of the bounds is forgotten, the oldest first.
type HistoryConfig struct {
	// Count is how many entries are kept at most. 0 or less means 1,000. Besides its body an entry
	// takes some 300 bytes.
	Count int

	// Bytes is how many bytes of bodies are kept at most. 0 or less means 1 MiB.
	Bytes int

	// Age is how long an entry is kept at most. 0 or less means as long as there is room. No clock
	// runs for it: an entry that is too old is never given again, and its memory is let go with the
	// next call.
	Age time.Duration
}

// A History keeps the newest messages of a channel, or of what else it is given, with numbers 1, 2,
// … in the order in which they were added. A reader asks for what follows the number that it knows,
// and is told how many entries it has missed.
//
// It starts no goroutine and keeps nothing for its readers. All methods may be called by several goroutines at once.
type History struct {
	cfg   HistoryConfig
	epoch [16]byte

	mu      sync.Mutex
	entries []HistoryEntry // the numbers follow one another, up to last
	bytes   int            // of the bodies of entries
	last    uint64
	added   chan struct{} // closed by the next Add; nil if nobody waits
}

// A HistoryEntry is one message of a [History].
type HistoryEntry struct {
	Number uint64    // 1, 2, …
	Time   time.Time // when it was added, by the clock of who keeps the history

	// Message is the history's copy: Channel, Body, Encoding, From and Group. All readers share it: do not change it.
	Message *Message
}

// A HistoryPage is what follows some number in a [History].
type HistoryPage struct {
	// Entries are in order of their numbers, without gaps between them. The slice is the caller's.
	Entries []HistoryEntry

	// Lost is how many entries came after the number asked for and before the first of Entries (or,
	// if that is empty, up to Last), and are no longer kept.
	Lost uint64

	// Last is the number of the newest entry there ever was, 0 before the first. If Entries does
	// not reach it there is more: ask again with the number of the last of Entries. If Entries is
	// empty, Last is what to ask with next.
	Last uint64

	// Anew is set if the numbers begin anew, as the server did: the number asked for meant nothing
	// to it, and the page begins with its oldest entry.
	Anew bool

	// Epoch is the history's: numbers of one mean nothing in another.
	Epoch [16]byte
}

// NewHistory makes an empty history with a new epoch.
func NewHistory(cfg HistoryConfig) *History {
	if cfg.Count <= 0 {
		cfg.Count = defaultHistoryCount
	}
	if cfg.Bytes <= 0 {
		cfg.Bytes = defaultHistoryBytes
	}
	h := &History{cfg: cfg}
	_, _ = rand.Read(h.epoch[:]) // never fails
	return h
}

// Epoch is a random number that is this history's own. Who keeps a number beyond the life of the
// process that keeps the history, keeps the epoch with it.
func (h *History) Epoch() [16]byte { return h.epoch }

// Add appends a copy of m, and gives its number. A message whose body is larger than all that the
// history may hold is not taken: the number is 0.
func (h *History) Add(m *Message) uint64 {
	if len(m.Body) > h.cfg.Bytes {
		return 0
	}
	kept := &Message{Channel: m.Channel, Body: bytes.Clone(m.Body), Encoding: m.Encoding, From: m.From, Group: m.Group}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.last++
	h.entries = append(h.entries, HistoryEntry{Number: h.last, Time: now, Message: kept})
	h.bytes += len(kept.Body)
	h.forget(now)
	if h.added != nil {
		close(h.added)
		h.added = nil
	}
	return h.last
}

// forget drops what is beyond the bounds. Dropping moves nothing: append copies what is left when
// the array has come to its end, to one with room for a quarter more at least, so each entry is
// copied a few times at most. Call it with mu held.
func (h *History) forget(now time.Time) {
	for len(h.entries) > 0 {
		first := &h.entries[0]
		if len(h.entries) <= h.cfg.Count && h.bytes <= h.cfg.Bytes &&
			(h.cfg.Age <= 0 || now.Sub(first.Time) < h.cfg.Age) {
			return
		}
		h.bytes -= len(first.Message.Body)
		*first = HistoryEntry{} // the array is still there, and would hold on to the message
		h.entries = h.entries[1:]
	}
	h.entries = nil
}

// Entries gives up to max entries that follow the number after; 0 asks for the oldest, and a max of
// 0 or less for all. It does not wait. The error is [ErrFuture], with a page that has Last and
// Epoch.
func (h *History) Entries(after uint64, max int) (HistoryPage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	page := HistoryPage{Last: h.last, Epoch: h.epoch}
	if after > h.last {
		return page, ErrFuture
	}
	h.forget(time.Now())
	rest := h.entries
	forgotten := h.last - uint64(len(rest)) // the number of the newest that is no longer kept
	if after < forgotten {
		page.Lost = forgotten - after
	} else {
		rest = rest[after-forgotten:]
	}
	if max > 0 && max < len(rest) {
		rest = rest[:max]
	}
	page.Entries = append(page.Entries, rest...)
	return page, nil
}

// Wait waits until there is, or was, an entry that follows the number after. It stops at the end of
// ctx, whose cause it returns. The error is [ErrFuture] at once if after is beyond the newest
// entry.
func (h *History) Wait(ctx context.Context, after uint64) error {
	added, err := h.follows(after)
	if added == nil {
		return err
	}
	select {
	case <-added:
		return nil // numbers only grow, and after was the newest
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// follows gives a channel that is closed by the next Add, or nil if there is nothing to wait for.
func (h *History) follows(after uint64) (<-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case after > h.last:
		return nil, ErrFuture
	case after < h.last:
		return nil, nil
	}
	if h.added == nil {
		h.added = make(chan struct{})
	}
	return h.added, nil
}

// Last gives the number of the newest entry there ever was, 0 before the first.
func (h *History) Last() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// Middleware adds what handlers get, requests too, for [Mux.Use]; or for one channel:
//
//	mux.Handle("news", history.Middleware()(handler))
//
// A message is added before its handler is called, so what the handler does to it is not in the history.
func (h *History) Middleware() func(next Handler) Handler {
	return func(next Handler) Handler {
		return func(ctx context.Context, from Conn, m *Message) error {
			h.Add(m)
			return next(ctx, from, m)
		}
	}
}
