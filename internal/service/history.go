package service

import "github.com/pysock/pysock/channel"

// HistoryRequest asks for what follows an entry.
type HistoryRequest struct {
	// Name is the history's.
	Name string `cbor:"name"`
	// Epoch is that of the HistoryPage before; empty at first.
	Epoch []byte `cbor:"epoch,omitempty"`
	// After is the number of an entry; 0 for all there is.
	After uint64 `cbor:"after"`
	// Max is how many entries at most, up to MaxEntries; 0 for MaxEntries.
	Max int `cbor:"max,omitempty"`
	// Wait asks for the answer when there is an entry.
	Wait bool `cbor:"wait,omitempty"`
}

// HistoryPage is what follows, in order.
type HistoryPage struct {
	// Epoch is 16 bytes: numbers of another epoch mean nothing.
	Epoch []byte `cbor:"epoch"`
	// Anew is set if the request was of another epoch: this page begins at the oldest entry.
	Anew bool `cbor:"anew,omitempty"`
	// Lost is how many entries between After and the first of the page, or up to Last if it has
	// none, are no longer kept, or too large for the client.
	Lost uint64 `cbor:"lost,omitempty"`
	// Last is the number of the newest entry; 0 if there never was one.
	Last uint64 `cbor:"last"`
	// Entries are at most what was asked for.
	Entries []Entry `cbor:"entries,omitempty"`
}

// Entry is a message that was kept.
type Entry struct {
	Number   uint64           `cbor:"number"`             // 1, 2, …
	Time     int64            `cbor:"time"`               // when it was kept, in Unix milliseconds
	Channel  string           `cbor:"channel"`            // its name
	From     string           `cbor:"from"`               // the sender's name, as it was then
	Key      []byte           `cbor:"key"`                // the sender's, 32 bytes
	Encoding channel.Encoding `cbor:"encoding,omitempty"` // of Body
	Body     []byte           `cbor:"body"`               // as it was sent
}
