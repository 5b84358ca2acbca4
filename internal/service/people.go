package service

import "github.com/pysock/pysock/channel"

// NameRequest asks for the client of a name, or to have it.
type NameRequest struct {
	// Name is a client's name. To have "" is to have the name again that the client came with.
	Name string `cbor:"name"`
}

// GroupRequest asks to join or leave a group.
type GroupRequest struct {
	// Group is a group's name.
	Group string `cbor:"group"`
}

// Self is who the client is to the server, for the rest of its session unless it is changed again.
type Self struct {
	// Version is how many changes there were in the session, so that the latest can be told that
	// came in another order. 0 is what the session began with, or of a server that does not count:
	// then an answer has only what was asked for.
	Version uint64 `cbor:"version,omitempty"`
	// Name is its name.
	Name string `cbor:"name,omitempty"`
	// Groups are the names of all groups that it is in, sorted, at most wire.MaxGroups.
	Groups []string `cbor:"groups,omitempty"`
}

// States of a Peer.
const (
	Here = 0 // connected
	Away = 1 // has lost its connection and may come back
	Left = 2 // its session has ended; only Key is set then
)

// Peer is who somebody is, as the server says.
type Peer struct {
	Name   string   `cbor:"name,omitempty"`   // as it is now
	Key    []byte   `cbor:"key"`              // 32 bytes
	Groups []string `cbor:"groups,omitempty"` // sorted, at most wire.MaxGroups
	State  uint8    `cbor:"state,omitempty"`  // Here, Away or Left
	Since  int64    `cbor:"since,omitempty"`  // when the session began, in Unix milliseconds
	Away   int64    `cbor:"away,omitempty"`   // of one that is Away: when it lost its connection, likewise
}

// GroupMessage asks to send a message to all others in a group.
type GroupMessage struct {
	Group    string           `cbor:"group"`              // its name
	Channel  string           `cbor:"channel"`            // its name
	Encoding channel.Encoding `cbor:"encoding,omitempty"` // of Body
	Body     []byte           `cbor:"body"`               // as for Send
}

// Report says who got a message.
type Report struct {
	Reached   int         `cbor:"reached"`             // how many got it
	Unreached []Unreached `cbor:"unreached,omitempty"` // those who did not, at most MaxUnreached
	More      int         `cbor:"more,omitempty"`      // how many others did not
}

// Unreached is somebody who did not get it.
type Unreached struct {
	Name string       `cbor:"name"` // as it is now
	Key  []byte       `cbor:"key"`  // 32 bytes
	Code channel.Code `cbor:"code"` // why
}
