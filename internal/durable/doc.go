// Package durable is one connection over successive links, for a client whose session, or whose
// pipe's other end, may be lost and come again. The code that makes connections, in package client,
// gives it each link that it has made:
//
//	c := durable.New(&durable.Config{Wait: 2 * time.Minute, Lost: reconnect})
//	l := link.New(conn, &link.Config{Books: c.Books(), …})
//	err := c.Attach(l)
//
// and calls End when there will be none. In between, and through all of them, applications call
// Send, Receive and so on.
//
// # What becomes of messages
//
// A message that Send has accepted is on its way in a link and in its credit. When that link ends,
// what the other application has not reported as taken may have been taken or not. Config.Resend
// chooses between two answers:
//
//   - At most once (false): it is not sent again. The next Send, SendAcked or Flush returns the [channel.GapError] that says what is known, once; those that wait
//     at that moment get it then. After that things go on with the next link. A Send that returns an error has sent nothing.
//   - At least once (true): the books keep it, and the next link sends it again before anything new on that channel. Send, SendAcked and Flush ride over the change
//     and return no error because of it. As long as the other application lives it is also at most once: it knows the numbers of what it has taken.
//
// In both, what the last link leaves comes back in the GapError that ends the Conn. Untold is for
// who goes on with another Conn: it takes what nobody has been told of yet. A Send that had not
// begun when a link ended goes to the next link. Requests and streams are bound to their link, and
// end with it. While there is no link calls wait for one.
//
// # What becomes of what arrives
//
// Receive goes on with the next link when it has returned what had arrived on the one before. Of a
// link that was lost nothing more is taken once the next is there, as it comes again or its sender
// has been told; of one that the other side has closed it is. Handlers of one link are called when
// those of the one before have returned.
//
// # Locks
//
// Conn.mu is above a link's. Nobody's code is called under it, and nothing that waits. A call on a
// Conn that has a link takes none of it: the present link is read atomically.
package durable
