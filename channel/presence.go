package channel

import (
	"fmt"
	"time"
)

// PeerInfo is what a server says of one of its clients.
type PeerInfo struct {
	// Peer has the present name and groups. Its Key is the server's word, so Unverified is set
	// unless a key file of this end says the same; its Addr is nil. Of a peer that has left there
	// are only the Key, the last name that was told, and Unverified.
	Peer

	// State says whether the client is connected.
	State PeerState

	// Since is when its session began, by the server's clock, in milliseconds; zero if it has left.
	Since time.Time

	// AwaySince is when it lost its connection, likewise, of one that is away; else zero.
	AwaySince time.Time
}

// A PeerState says whether a client is connected to its server.
type PeerState uint8

// The states of a peer.
const (
	Here PeerState = 0 // connected
	Away PeerState = 1 // has lost its connection and may come back: what is sent to it waits
	Left PeerState = 2 // its session has ended
)

var stateNames = [...]string{Here: "here", Away: "away", Left: "left"}

// String gives the state in a word.
func (s PeerState) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// A PresenceEvent says what has changed with a client of the server. Events are of states, not of
// all that happened: who came and went while nobody looked is not told of, and of several changes
// that come close together only what they amount to.
type PresenceEvent struct {
	// Kind is the change, the weightiest of several.
	Kind PresenceKind

	// Peer is who, as it is now, and of Went with the last name: what else was known is in Before.
	// It is zero for Listed, which is about nobody.
	Peer PeerInfo

	// Before is what was known before. It is zero for WasHere, Listed and Came.
	Before PeerInfo
}

// A PresenceKind is the kind of a change.
type PresenceKind uint8

// The kinds of a PresenceEvent.
const (
	WasHere       PresenceKind = iota // is in the first list, here or away
	Listed                            // the first list is complete: it comes once, after all WasHere and before all else
	Came                              // its session began
	Went                              // its session ended
	WentAway                          // lost its connection, and may come back
	CameBack                          // has its connection again
	Renamed                           // has another name
	GroupsChanged                     // is in other groups
)

var kindNames = [...]string{
	WasHere: "was here", Listed: "listed", Came: "came", Went: "went", WentAway: "went away", CameBack: "came back",
	Renamed: "renamed", GroupsChanged: "groups changed",
}

// String gives the kind in words.
func (k PresenceKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}
