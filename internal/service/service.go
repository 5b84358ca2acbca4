// Package service has what a client asks its server for, and what it is answered: the requests of
// the service channels (docs/protocol.md, section 18). One goes the other way. Bodies are CBOR as
// package channel reads and writes it.
package service

// Names of the service channels, from the client to the server of a hop. All are requests.
const (
	Lookup   = "lookup"   // NameRequest → Peer
	Rename   = "rename"   // NameRequest → Self, as it is then
	Join     = "join"     // GroupRequest → Self
	Leave    = "leave"    // GroupRequest → Self
	Send     = "send"     // GroupMessage → Report
	Presence = "presence" // PresenceRequest → PresencePage
	History  = "history"  // HistoryRequest → HistoryPage
)

// You is the service channel from the server to the client: Self → nothing, an empty map.
const You = "you"

// Names are all that clients ask for.
var Names = []string{Lookup, Rename, Join, Leave, Send, Presence, History}

// Limits of the bodies.
const (
	// MaxPage is how many peers a PresencePage has at most.
	MaxPage = 256
	// MaxUnreached is how many peers a Report names at most.
	MaxUnreached = 1024
	// MaxEntries is how many entries a HistoryPage has at most.
	MaxEntries = 1024
	// MaxPageBytes is from how many bytes of bodies on a HistoryPage takes no further entry. It has one entry at
	// least, if there is any.
	MaxPageBytes = 256 << 10
)
