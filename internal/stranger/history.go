package stranger

import (
	"crypto/rand"
	"sync"
)

// A History is what an end remembers of an instance (section 8.1) and one other
// end: the numbers with which a later link of the instance goes on. The
// initiator makes one with its instance for each peer that it speaks to, the
// responder finds its own in a Library.
type History struct {
	Instance [16]byte // random, the initiator's choice; zero: none

	mu     sync.Mutex
	link   *Link             // the last one
	record [16]byte          // the responder's mark of its own; what the initiator has heard last
	next   map[string]uint64 // by channel: the number of the next message to send
	taken  map[string]uint64 // by channel: the number after the last message taken
	lost   []Gap
}

// A Gap is messages that are lost: those from First to before Next.
type Gap struct {
	Channel     string // its name
	First, Next uint64 // numbers of section 8.1
}

// NewHistory is one without any past.
func NewHistory(instance [16]byte) *History {
	return &History{Instance: instance, next: map[string]uint64{}, taken: map[string]uint64{}}
}

// Lost gives the gaps in what the other side has sent.
func (h *History) Lost() []Gap {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Gap{}, h.lost...)
}

// Again sets the number of the message that the next link sends first on a
// channel, for one that was sent before.
func (h *History) Again(channel string, number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next[channel] = number
}

// Record gives the responder's mark of what it keeps: its own or, at the
// initiator, that of the last welcome.
func (h *History) Record() [16]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.record
}

// begin makes l the link of the instance. The one before takes nothing more.
// An initiator that finds another record than before forgets what it has taken.
func (h *History) begin(l *Link, record [16]byte) {
	h.mu.Lock()
	old := h.link
	h.mu.Unlock()
	if old != nil {
		old.Close(codeReplaced, "another link of the instance")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.link = l
	if h.record != record {
		h.record = record
		clear(h.taken)
	}
}

// opened says with which number a channel of the other side begins.
func (h *History) opened(channel string, first uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next, before := h.taken[channel]
	if before && first > next {
		h.lost = append(h.lost, Gap{channel, next, first})
	}
	if !before || first > next {
		h.taken[channel] = first
	}
}

// take tells whether a message is new, and that it is taken.
func (h *History) take(channel string, number uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if number < h.taken[channel] {
		return false
	}
	h.taken[channel] = number + 1
	return true
}

func (h *History) first(channel string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next[channel]
}

func (h *History) sent(channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next[channel]++
}

// A Library is the histories of a responder, by the initiator's key and instance.
type Library struct {
	mu        sync.Mutex
	histories map[string]*History
}

// find gives the history of a hello. It is nil if there is no instance. A
// library that is nil forgets at once.
func (b *Library) find(peer []byte, instance [16]byte) *History {
	if instance == none {
		return nil
	}
	if b == nil {
		return keep(instance)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.histories == nil {
		b.histories = map[string]*History{}
	}
	at := string(peer) + string(instance[:])
	if b.histories[at] == nil {
		b.histories[at] = keep(instance)
	}
	return b.histories[at]
}

// keep begins a responder's history.
func keep(instance [16]byte) *History {
	h := NewHistory(instance)
	_, _ = rand.Read(h.record[:])
	return h
}
