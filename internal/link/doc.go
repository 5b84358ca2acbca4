// Package link is the engine of one connection: it turns a byte stream into channels with messages,
// requests and streams, as docs/protocol.md says in sections 7 to 13. It knows no cryptography: the
// net.Conn below is a secure.Conn over a [Stream] for a pipe, and for a hop a resume.Conn over one
// after another, each over TCP.
//
// # Goroutines
//
// A link that is idle has one goroutine, its reader. The reader never waits for credit, for a write
// or for an application's code: what it has to answer is state that is told when somebody writes.
// Over a connection that can be written without waiting (nowait.go) the reader itself writes what
// the frames that it has read bring about, on this link and on those that it relays to, and who
// asks or answers alone writes that; what the connection does not take at once, and everything over
// other connections, is written by the writer, a goroutine that lives while there is something to
// write. A channel's handlers run on a goroutine that lives while the channel has messages.
//
// # Locks
//
// Link.mu guards all of a link's state but what only its reader touches; nothing is written to the
// connection, and nobody's code is called under it but Here and There of RelayEvents. The mu of Books is above
// that of the link that owns them. The locks of two links are never held together: what one link's
// reader or writer has to tell another (relay.go) it tells without its own lock. Below Link.mu
// come, each on its own, a request's mu, a stream's readMu, a deadline's mu and a batch's mu; above
// it a stream's writeMu, Link.bodies and the mu of Listeners.
//
// # Sequences
//
// A link begins with the numbers of its Books, and leaves them behind when it ends: see there. What
// it counts it counts as its own state, in bytes: the numbers of messages follow from the totals of
// credit. So a message that is sent costs a counter, and one that is taken one atomic step on the
// channel's mark. When a link leaves its open state, for whatever reason, it lets go of the books
// with what setEnd has found in them.
//
// # Small messages
//
// Those that wait for a handler are packed (inpack.go): the reader collects what it finds of them
// in one read, or one record, and queues them with one lock, and none costs the queue or the
// collector more than its bytes. Each becomes a *channel.Message of its own when its turn comes.
// What waits for Receive is not packed: it is in the order of its arrival, whatever the channel.
//
// # Kinds of channels
//
// A channel has a kind and a name, and each kind its own names: on the link, and in the Books.
// Services have a Mux of their own and never go to Receive; a message to a group is for the
// application's channel of that name, and says itself who sent it. At a server it is others who
// send to groups, so such channels are counted apart, are in no Books, go by MaxQueued also where
// the application's own messages need not, and are nothing to Flush and to a *channel.GapError. In
// all else they are channels like any.
//
// # Memory
//
// What the other side can make a link hold is bounded, also while it does not read what it is sent:
//
//   - what the other side says that it left out, by a count for each message that waits;
//   - messages by their channels' credit, which beyond 64 KiB a channel comes from the link's pool, where the part of a large message stays until its
//     handler has returned; of refused channels nothing is kept, nor of a link that this side has ended;
//   - answers to us by what the requests brought, and a pool of their own;
//   - streams by their windows;
//   - what is to be told by the number of channels, requests and streams. A request counts until its answer was written, and a stream until
//     its end was.
package link
