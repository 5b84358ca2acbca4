// Package stranger is a second implementation of the PySock protocol, written
// from docs/protocol.md alone by somebody who had not read the first. It is a
// test aid: its tests speak to the other packages, and where the two do not
// understand each other the document or one of them is wrong. Nothing else may
// import it.
//
// It prefers the shortest text to speed, memory and convenience: calls block
// until the link fails, a message is always whole in memory, and nothing is
// limited that the document does not limit.
//
//	noise.go, handshake.go         sections 4.2, 4.4
//	secure.go, record.go           sections 4.1, 4.3, 5, 6
//	hello.go                       section 6
//	frame.go, check.go, cut.go     sections 7, 8
//	link.go and its neighbours     sections 8 to 11, 13
//	history.go                     section 8.1
//	inchannel.go, outchannel.go    also carry section 18, whose bodies are the caller's
//	splice.go, strand.go           section 17: a session, and one connection of it
//	parcel.go, token.go            sections 17.1, 17.2: what crosses the wire
//	keep.go, sessions.go           section 17 for the client and for the server
//	client.go, server.go, pipe.go  sections 6, 12
//	text.go, names.go              sections 2, 3, appendix A
package stranger
