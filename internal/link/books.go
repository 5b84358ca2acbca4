package link

import (
	"cmp"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
)

// Books are what outlives a link of the messages that it carried: for each channel and direction
// the numbers of docs/protocol.md, section 8.1, and with keep the messages themselves that the
// other application is not known to have taken. The links of one instance, one after the other,
// have the same Books: what one of them has taken the next does not take again.
//
// Channels of group messages are not in the Books: who may send to a group must not use them up for
// the link's own application. Their numbers begin anew with each link, nothing of them is sent
// again, and that something is lost is told to nobody.
//
// The newest link made with some Books owns them. It ends the one before it, if that has not ended:
// at once, and of what had arrived on it and was not taken nothing is taken any more. Only what
// came before an orderly close by the other side still is. The handlers of the newest link wait for
// those of the one before, so that those of one channel never overlap.
//
// Books hold up to wire.MaxChannels names of the other side's channels, and as many of this side's
// when a link begins, some hundred bytes each; during a link there may be twice as many of these.
// Those of a responder that are full are begun anew with the next link: see Record. Those of an
// initiator cannot be, because its numbers must go on, nor can those that keep messages, whose
// numbers the other side must know if they come again: they hold up to maxNames names of this
// side's channels, and then no new one is opened. Books hold no link that has ended and been waited
// for.
type Books struct {
	keep bool

	mu     sync.Mutex        // above the owner's mu
	owner  *Link             // nil before the first, and when the last has gone
	record [wire.IDSize]byte // our mark of them
	next   [wire.IDSize]byte // the one that they will have when the next link begins them anew; zero if it does not
	in     map[bookKey]*inBook
	full   bool              // in had no room for a name
	heard  [wire.IDSize]byte // the other side's mark, from its last welcome
	whole  bool              // nothing that was heard under that mark, or may have been before, is forgotten

	// The owner's mu guards them as long as the owner is open; after that mu does.
	out      map[bookKey]*outBook
	sent     uint64 // of what was before the books were begun anew last
	hadTaken uint64
}

// BooksMemory is the most that the books of a responder hold that do not keep messages, in bytes:
// names of the other side's channels, and twice as many of this side's, each with its numbers and
// its place in a map, measured.
const BooksMemory = 3 * wire.MaxChannels * 320

// maxNames is how many names of this side's channels there may be in books that are not begun anew.
const maxNames = 16 * wire.MaxChannels

// bookKey is what a channel is known by from one link to the next.
type bookKey struct {
	kind wire.Kind
	name string
}

func (k bookKey) compare(o bookKey) int {
	return cmp.Or(strings.Compare(k.name, o.name), cmp.Compare(k.kind, o.kind))
}

// NewBooks makes the books of an instance that has sent and taken nothing. With keep, links that use them can Resend.
func NewBooks(keep bool) *Books {
	b := &Books{keep: keep, out: make(map[bookKey]*outBook)}
	rand.Read(b.record[:])
	return b
}

// Record is for a responder, before each link: the mark of these books for its welcome, random and
// the same for as long as the books are. If they are full it is another one, and the next link
// begins them anew (docs/protocol.md, section 8.1): so each link must be made with the record in
// its welcome that was asked for last.
func (b *Books) Record() [wire.IDSize]byte {
	defer b.lock()()
	if b.next == none && !b.keep && (b.full || len(b.out) > wire.MaxChannels) {
		rand.Read(b.next[:])
	}
	if b.next != none {
		return b.next
	}
	return b.record
}

var none [wire.IDSize]byte

// Welcomed is for an initiator, between two links, with the record of the responder's welcome. If
// that is another than the last, the responder has not kept what it had of the instance: its
// numbers begin anew, and with what was taken before its messages would be mistaken for such that
// have come already. So that is forgotten. Our own numbers go on.
//
// Under the first record every channel begins with 0, so that what is lost of it before it was
// heard of is known. Under a later one that cannot be told: the responder may be one that this side
// had before and has forgotten.
func (b *Books) Welcomed(record [wire.IDSize]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heard != record {
		b.whole = b.heard == none
		b.heard, b.in, b.full = record, nil, false
	}
}

// Pending reports whether messages are not known to have been taken, and nobody has been told of
// that by a link's end that another link has followed.
func (b *Books) Pending() bool {
	defer b.lock()()
	return b.pending() > 0
}

// Gap is err, the end of a connection, as it is to be told: as a *channel.GapError with the present
// numbers if messages are Pending, or always if told is set.
func (b *Books) Gap(err error, always bool) error {
	defer b.lock()()
	if !always && b.pending() == 0 {
		return err
	}
	return b.gap(err)
}

// Outstanding gives a Receipt of the last message of each channel that is Pending: to await them
// all is to flush, whatever links that takes.
func (b *Books) Outstanding() (last []Receipt) {
	defer b.lock()()
	for key, o := range b.out {
		if o.pending() > 0 {
			last = append(last, Receipt{kind: key.kind, name: key.name, book: o, number: o.next - 1})
		}
	}
	return last
}

// lock keeps the owner from changing the books until the returned function is called.
func (b *Books) lock() (unlock func()) {
	b.mu.Lock()
	owner := b.owner
	if owner == nil {
		return b.mu.Unlock
	}
	owner.mu.Lock()
	return func() {
		owner.mu.Unlock()
		b.mu.Unlock()
	}
}

// take makes l the owner, before it has begun. The channels that have messages to send again are opened first.
// It returns the older owner, and the link whose handlers l is held for, nil if there is none.
func (b *Books) take(l *Link) (older, ahead *Link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if older = b.owner; older != nil {
		if ahead = older.retire(); ahead != nil {
			l.hold(ahead)
		}
	}
	b.owner, l.books, l.owns = l, b, true
	if b.next != none {
		b.beginAnew()
		return older, ahead
	}
	var again []bookKey
	for key, o := range b.out {
		switch {
		case o.pending() == 0:
		case b.keep:
			again = append(again, key)
		default:
			o.giveUp()
		}
	}
	slices.SortFunc(again, bookKey.compare)
	for _, key := range again {
		l.openOut(key, b.out[key]).gate = make(chan struct{})
	}
	return older, ahead
}

// beginAnew forgets everything but how many messages there were. What was not known to have been
// taken has been told of by the end of the last link. Call it with mu held and no owner that is
// open.
func (b *Books) beginAnew() {
	for _, o := range b.out {
		o.giveUp() // for who still has a Receipt
		b.sent += o.next
		b.hadTaken += o.taken
	}
	b.record, b.next = b.next, none
	b.in, b.full, b.out = nil, false, make(map[bookKey]*outBook)
}

// release forgets an owner that has ended, so that books which are kept hold no link.
func (b *Books) release(l *Link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner == l {
		b.owner = nil
	}
}

// pending is how many messages are not known to have been taken and were not given up. Call it with
// the owner's mu held, or b.mu.
func (b *Books) pending() (n uint64) {
	for _, o := range b.out {
		n += o.pending()
	}
	return n
}

// gap makes the error that tells of what is pending: not known to have been taken, and not told of
// by the end of an earlier link. Call it as pending.
func (b *Books) gap(err error) *channel.GapError {
	var inner *channel.GapError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	g := &channel.GapError{Err: err, Sent: b.sent, Taken: b.hadTaken}
	for key, o := range b.out {
		g.Sent += o.next
		g.Taken += o.taken
		if lost := o.pending(); lost > 0 { // services have none, so there are no two of a name
			g.Channels = append(g.Channels,
				channel.ChannelGap{Channel: key.name, Sent: o.next, Taken: o.taken, Lost: lost})
		}
	}
	slices.SortFunc(g.Channels, func(a, b channel.ChannelGap) int { return strings.Compare(a.Channel, b.Channel) })
	return g
}

// outBook is what is known of the messages sent on a channel. Those from first to next are not
// known to have been taken.
type outBook struct {
	next  uint64 // number of the next message
	taken uint64 // how many are known to have been taken
	lost  uint64 // how many were given up: their sender has been told

	kept     []keptMsg // with keep: those from first to next; kept[head] is the first
	head     int
	gaveFrom uint64 // what was given up last, and how a refusal said so
	gaveTo   uint64
	gaveCode channel.Code
}

// keptMsg is a message as it is to be sent again.
type keptMsg struct {
	body  []byte
	flags wire.Flags
}

func (o *outBook) pending() uint64 { return o.next - o.taken - o.lost }

// first is the number of the first message that is not known to have been taken and was not given up.
func (o *outBook) first() uint64 { return o.next - o.pending() }

// keep keeps a message, whose number is the next.
func (o *outBook) keep(body []byte, flags wire.Flags) {
	if len(o.kept) == cap(o.kept) && o.head >= len(o.kept)/2 {
		n := copy(o.kept, o.kept[o.head:])
		clear(o.kept[n:])
		o.kept, o.head = o.kept[:n], 0
	}
	o.kept = append(o.kept, keptMsg{body, flags})
}

// took counts the first n messages as taken.
func (o *outBook) took(n uint64) {
	o.taken += n
	if o.kept == nil {
		return
	}
	clear(o.kept[o.head : o.head+int(n)])
	o.head += int(n)
	if o.head == len(o.kept) {
		o.kept, o.head = o.kept[:0], 0
	}
}

// at is a message that is kept.
func (o *outBook) at(number uint64) keptMsg { return o.kept[o.head+int(number-o.first())] }

// giveUp gives up what is not known to have been taken, as its sender is told, or has been.
func (o *outBook) giveUp() {
	if o.pending() == 0 {
		return
	}
	o.gaveFrom, o.gaveTo = o.first(), o.next
	o.lost += o.pending()
	o.kept, o.head = nil, 0
}

// inBook finds the mark of a channel, or begins it: at the number that CHANNEL says, or at 0 if
// nothing of it can have been taken and forgotten. It is nil if there are too many.
func (b *Books) inBook(key bookKey, sequence uint64) *inBook {
	b.mu.Lock()
	defer b.mu.Unlock()
	if in := b.in[key]; in != nil {
		return in
	}
	if len(b.in) >= wire.MaxChannels {
		b.full = true
		return nil
	}
	if b.in == nil {
		b.in = make(map[bookKey]*inBook)
	}
	in := new(inBook)
	if !b.whole {
		in.mark.Store(sequence)
	}
	b.in[key] = in
	return in
}
