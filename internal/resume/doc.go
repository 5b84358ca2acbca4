// Package resume is a stream in both directions that outlives its connection
// (docs/protocol.md, section 17; why it is so: docs/design/004-resume.md). A link runs over a
// Conn, and the Conn over one *secure.Conn after the other:
//
//	link(resume(secure(tcp)))
//
// A Conn keeps what it has sent until the other side has acknowledged it. When its connection is
// lost, reads wait, and writes are kept while there is room; Config.Lost is called. Who owns the
// session makes another connection and goes over to it:
//
//	h := conn.Handover()
//	token.Position = h.Position()          // or welcome.Position
//	…                                      // the handshake of the new connection
//	err := h.Attach(secureConn, theirs)    // the position that the other side told
//
// Each side then sends from the other's position on, and what was received before is dropped, so
// that nothing is lost, doubled or out of order. A Handover may begin while the old connection
// still works: it is read until Attach. If no other connection comes, Fail ends the Conn.
//
// A new connection gets little at first, and more as what it has got is known to have arrived:
// whatever connections carry, the streams come forward by it.
//
// A Conn asks for a sign of life after some silence, and takes a connection for lost that gives
// none; one that is only slow is not silent. It trusts its connection to be the right peer's: who
// may go on with a session is decided above, with Secret.
//
// Who waits for what: the reader never waits for a write. A write of ours waits for room in what
// is kept, and otherwise only for the connection below. What is due besides, acknowledgements,
// answers to PING, and what is sent again, is written by a goroutine that is there only as long
// as there is something to write.
package resume
