package server

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/service"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// checkHistories finds what is wrong with the application's histories.
func (s *Server) checkHistories() error {
	for name, h := range s.Histories {
		group, of, isGroups := strings.Cut(name, "/")
		err := keys.CheckChannel(of)
		if isGroups && err == nil {
			err = keys.CheckName(group)
		} else if !isGroups {
			err = keys.CheckChannel(name)
		}
		if err != nil {
			return fmt.Errorf("server: the history %q: %w", name, err)
		}
		if h == nil {
			return fmt.Errorf("server: the history %q is nil", name)
		}
	}
	return nil
}

// record adds what is sent to many to the history that is for it, if there is one; group is empty
// for all. A history whose name has a slash is one of a group.
func (s *Server) record(group string, m *channel.Message) (kept bool) {
	name := m.Channel
	if group != "" {
		name = group + "/" + name
	} else if strings.Contains(name, "/") {
		return false
	}
	h := s.Histories[name]
	return h != nil && h.Add(m) != 0
}

// mayRead is why a client may not read a history.
func (s *Server) mayRead(sess *Session, name string) error {
	peer := sess.Peer()
	if group, _, isGroups := strings.Cut(name, "/"); isGroups && !slices.Contains(peer.Groups, group) {
		return &channel.Error{Code: channel.CodeRefused, Text: "only members of the group may read this"}
	}
	if s.AllowHistory == nil {
		return nil
	}
	if err := s.ask("AllowHistory", peer, func() error { return s.AllowHistory(peer, name) }); err != nil {
		return policyError(err)
	}
	return nil
}

// serveHistory answers a request for what follows in a history, at once or when there is something.
func (s *Server) serveHistory(ctx context.Context, sess *Session, m *channel.Message,
	req service.HistoryRequest) error {
	h := s.Histories[req.Name]
	if h == nil {
		return &channel.Error{Code: channel.CodeUnknownPeer, Text: "there is no such history"}
	}
	if err := s.mayRead(sess, req.Name); err != nil {
		return err
	}
	epoch := h.Epoch()
	after, anew := req.After, len(req.Epoch) > 0 && !bytes.Equal(req.Epoch, epoch[:])
	switch {
	case req.Max < 0:
		return &channel.Error{Code: channel.CodeBadMessage, Text: "a negative number of entries"}
	case anew:
		after = 0
	case after > h.Last():
		return channel.ErrFuture
	}
	if req.Wait && !anew && after == h.Last() {
		if err := s.awaitEntry(ctx, sess, h, after); err != nil {
			return err
		}
		if err := s.mayRead(sess, req.Name); err != nil {
			return err // it may have left the group meanwhile
		}
	}
	sess.slots.page.Lock()
	defer sess.slots.page.Unlock()
	most := service.MaxEntries
	if req.Max > 0 {
		most = min(most, req.Max)
	}
	page := service.HistoryPage{Epoch: epoch[:], Anew: anew}
	for {
		kept, err := h.Entries(after, most)
		if err != nil {
			return err
		}
		entries, skipped := entriesOf(kept.Entries, int(sess.peerMax))
		page.Lost, page.Last, page.Entries = page.Lost+kept.Lost+skipped, kept.Last, entries
		if len(entries) > 0 || len(kept.Entries) == 0 {
			return replyValue(ctx, m, page)
		}
		after = kept.Entries[len(kept.Entries)-1].Number
	}
}

// awaitEntry waits until a history has an entry after a number.
func (s *Server) awaitEntry(ctx context.Context, sess *Session, h *channel.History, after uint64) error {
	defer sess.slots.waits.Add(-1)
	if sess.slots.waits.Add(1) > mostWaits {
		return &channel.Error{Code: channel.CodeBusy, Text: fmt.Sprintf("%d requests wait for histories already",
			mostWaits)}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.waits, func() { cancel(channel.CodeShutdown) })()
	return h.Wait(ctx, after)
}

// entryRoom is how much an entry takes on a page at most, besides its body.
const entryRoom = 512

// entriesOf takes as many entries as fit on a page that the client, whose largest message costs so
// much, can take; one at least. Those before it that do not fit even alone are skipped: with them
// the client would get no further.
func entriesOf(kept []channel.HistoryEntry, most int) (entries []service.Entry, skipped uint64) {
	entries = make([]service.Entry, 0, len(kept))
	bodies, size := 0, wire.MessageOverhead+entryRoom
	for _, e := range kept {
		n := len(e.Message.Body)
		if len(entries) > 0 && (bodies+n > service.MaxPageBytes || size+n+entryRoom > most) {
			break
		}
		entry := service.Entry{Number: e.Number, Time: e.Time.UnixMilli(), Channel: e.Message.Channel,
			Encoding: e.Message.Encoding, Body: e.Message.Body}
		if from := e.Message.From; from != nil {
			entry.From, entry.Key = from.Name, from.Key.Bytes()
		}
		if size+n+entryRoom > most && !fitsAlone(entry, most) {
			skipped++
			continue
		}
		bodies += n
		size += n + entryRoom
		entries = append(entries, entry)
	}
	return entries, skipped
}

// fitsAlone reports whether a page with one entry, and numbers as large as they can be, costs no
// more than most. It does not copy the body for that: who asks may have it asked of a thousand.
func fitsAlone(entry service.Entry, most int) bool {
	body := len(entry.Body)
	if body+wire.MessageOverhead > most {
		return false
	}
	entry.Body = nil // null, which takes one byte
	rest, err := channel.Marshal(service.HistoryPage{Epoch: make([]byte, 16), Anew: true, Lost: math.MaxUint64,
		Last: math.MaxUint64, Entries: []service.Entry{entry}})
	return err == nil && len(rest)-1+bytesHead(body)+body+wire.MessageOverhead <= most
}

// bytesHead is how many bytes CBOR puts before a string of n (RFC 8949, section 3).
func bytesHead(n int) int {
	switch {
	case n < 24:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	}
	return 5
}
