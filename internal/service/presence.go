package service

// PresenceRequest asks for what has changed since a position. It is answered when something has, and at most
// every 100 ms. A client has one under way.
type PresenceRequest struct {
	// Epoch is that of the PresencePage before; empty at first.
	Epoch []byte `cbor:"epoch,omitempty"`
	// After is its To; 0 at first.
	After uint64 `cbor:"after"`
}

// PresencePage is the state of peers that have changed, each once, the earliest change first.
type PresencePage struct {
	// Epoch is 16 bytes: positions of another epoch mean nothing.
	Epoch []byte `cbor:"epoch"`
	// All is set if the list begins anew with this page: who is not in it, or in those that follow
	// while More is set, has left.
	All bool `cbor:"all,omitempty"`
	// More is set if there are further changes already.
	More bool `cbor:"more,omitempty"`
	// To is the position after the last of Peers.
	To uint64 `cbor:"to"`
	// Peers are at most MaxPage.
	Peers []Peer `cbor:"peers,omitempty"`
}
