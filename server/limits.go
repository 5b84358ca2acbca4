package server

import (
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wire"
)

// Limits bounds what clients can make a server hold. A zero field means its default.
//
// The memory that a server needs at the very most, with every client abusing every limit at once, is
//
//	2 × MaxHandshakes × 32 KiB
//	+ MaxSessions × ( 16 KiB
//	                + 6 × MaxChannels × 64 KiB              received, guaranteed to each channel
//	                + 6 × 4 MiB                             received, grown windows
//	                + MaxMessage                            received, large messages until their handlers return
//	                + 4 MiB + MaxMessage                    received, large answers to requests of the server's own
//	                + MaxStreams × StreamWindow             received on streams of the server's application
//	                + MaxPipes × 2 × PipeWindow             relayed, waiting for the other end
//	                + 2 × SendQueue                         waiting to be sent: of the server's application, and of other clients' messages to groups
//	                + 4 × max(SendQueue, MaxMessage)        of Broadcast and Group.Send, and of such messages, waiting for that; and what of each goes over it
//	                + 1,024 × 21 KiB                        channels that the server's application sends on, and the sizes of what is not taken of each
//	                + ResumeBuffer                          sent, and kept until the client's side has it
//	                + 2 × 960 KiB                           sequences of its instance, and of one that is not there
//	                + 3 KiB                                 a session that has ended, and why; how long its key has held others up
//	                + 7 MiB + MaxMessage                    what it asks the server itself for
//	                + 272 KiB )                             buffers of what is being read and written
//
// which Memory computes. The factor of 6 is what the smallest messages take in memory for each byte
// that they cost in credit. The buffers are one of 72 KiB for a record that is being read, one for
// what is being written or the rest of it, and 64 KiB each for a frame that goes on in the next
// record, and for what is sent again; they come from pools, and are held only meanwhile. A session
// that is idle holds the 16 KiB; one whose peers read holds little more. Not in it is what
// histories hold, and pages with a message of theirs that is larger than 256 KiB; and what handlers
// hold.
type Limits struct {
	// MaxSessions is how many sessions there may be at once, transient ones and those of clients
	// that are away included; 0 for 10,000. One more lets the one end that has been away longest,
	// with CodeLimit, rather one of which no handler runs; if none is away, or its handlers do not
	// return within a second, it is refused with CodeLimit. A session counts until its connection
	// has ended and its handlers have returned. The server also remembers, for Server.Grace, at
	// most so many sequences of instances without a session, and so many sessions that have ended
	// and why, the newest; of one key MaxTransient of each.
	MaxSessions int

	// MaxTransient is how many transient sessions of one key there may be at once; 0 for 16. They
	// count as for MaxSessions, and one that is away makes room likewise. So many sessions of one
	// key that are not transient and were cut may also have handlers that do not return though
	// their ctx has ended.
	MaxTransient int

	// MaxHandshakes is how many connections may be in their handshake at once; 0 for 512. One more
	// waits to be accepted, up to 10 ms for each of them in all, which comes back within minutes;
	// then it ends the oldest of those from the address (for IPv6 the /64 network) that has the
	// most. Those that were ended count too until nothing is left of them, and if they and the
	// others are twice as many a new connection is closed at once.
	MaxHandshakes int

	// MaxChannels is how many channels one client may send on; 0 for 64, at least 64, at most 960;
	// those of group messages are counted apart.
	MaxChannels int

	// MaxMessage is the largest message taken from a client, in bytes of its body; 0 for 16 MiB, at
	// least 64 KiB, at most 1 GiB.
	MaxMessage int

	// MaxStreams is how many streams to the server's application, and pipes, one client may have
	// open; 0 for 64, at least 16.
	MaxStreams int

	// StreamWindow is how much a stream may hold that the server's application has not read, in bytes; 0 for 256 KiB.
	StreamWindow int

	// MaxPipes is how many pipes one client may have open, those that others opened to it included;
	// 0 for 64. Of one opener at most 4 wait for the other to answer, those included that it has
	// given up and that the other, who may be away, does not know of yet. These count for both.
	MaxPipes int

	// PipeWindow is how much of each direction of a pipe may wait in the server for a client that
	// does not read, in bytes; 0 for 256 KiB, at least 64 KiB. It bounds what a pipe can carry in a
	// round-trip time.
	PipeWindow int

	// ResumeBuffer is how much of what was sent to a client is kept until its side has acknowledged
	// it, in bytes, so that it can be sent again over the next connection; 0 for 1 MiB, at least
	// 192 KiB. When so much is kept more waits, with its senders, as for a client that does not
	// read. It bounds what a connection can carry in a round-trip time.
	ResumeBuffer int

	// SendQueue is how much may wait to be written to a client, in bytes, before who sends to it
	// waits too; 0 for 1 MiB, at least 64 KiB. One message may go over it. As much again may wait
	// of what Broadcast and Group.Send have for it, and both once more of what other clients send
	// to groups: that takes nothing of the application's. Who sends to many does not wait for ever:
	// see Server.SlowTimeout.
	SendQueue int
}

// Rough sizes for Memory, measured: see docs/testing.md.
const (
	handshakeMemory = 32 << 10
	sessionMemory   = 16 << 10
	sendMemory      = wire.MaxChannels * (3<<10 + link.CostsMemory) // a channel, its numbers and a piece of queue each; what is not taken
	bufferMemory    = 2*72<<10 + 2*64<<10                           // of secure's reader, link's reader, resume's flusher, and the rest of a record or link's writer

	// The requests on service channels, 4 MiB; a page that is made and answered with, 1.5 MiB;
	// goroutines that wait, for the session's requests and to send to it, 162 of 8 KiB; the
	// session's groups, its place in the list of presence, and that of one that has left, 4 KiB
	// each.
	servicesMemory = 7 << 20
)

func (l Limits) withDefaults() Limits {
	or := func(v *int, def, least, most int) {
		if *v == 0 {
			*v = def
		}
		*v = min(max(*v, least), most)
	}
	const unlimited = int(^uint(0) >> 1)
	or(&l.MaxSessions, 10_000, 1, unlimited)
	or(&l.MaxTransient, 16, 1, unlimited)
	or(&l.MaxHandshakes, 512, 1, unlimited)
	or(&l.MaxChannels, 64, wire.MinChannels, wire.MaxChannels-wire.MaxGroupChannels)
	or(&l.MaxMessage, wire.DefaultMaxMessage-wire.MessageOverhead, wire.MinMaxMessage, wire.MaxBody)
	or(&l.MaxStreams, 64, wire.MinStreams, wire.MaxStreams)
	or(&l.StreamWindow, 256<<10, flow.Guaranteed, unlimited)
	or(&l.MaxPipes, 64, 1, wire.MaxStreams)
	or(&l.PipeWindow, 256<<10, flow.Guaranteed, unlimited)
	or(&l.ResumeBuffer, 1<<20, resume.MinBuffer, unlimited)
	or(&l.SendQueue, 1<<20, 64<<10, unlimited)
	return l
}

// Memory is the most that the limits let clients make the server hold, in bytes.
func (l Limits) Memory() int64 {
	l = l.withDefaults()
	session := sessionMemory +
		link.CreditMemory*(l.MaxChannels*flow.Guaranteed+flow.GrowShare) + l.MaxMessage +
		flow.GrowShare + l.MaxMessage +
		l.MaxStreams*l.StreamWindow +
		l.MaxPipes*2*l.PipeWindow +
		2*l.SendQueue + 4*max(l.SendQueue, l.MaxMessage) +
		sendMemory +
		l.ResumeBuffer +
		2*link.BooksMemory +
		endReasonMemory + holdupMemory +
		servicesMemory + l.MaxMessage +
		bufferMemory
	return 2*int64(l.MaxHandshakes)*handshakeMemory + int64(l.MaxSessions)*int64(session)
}
