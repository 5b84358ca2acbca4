// Package wire is the vocabulary of a link: the frames of docs/protocol.md
// (sections 7 to 13) and the hello and welcome of section 6, as bytes and as
// Go values. It does no I/O and keeps no state; what may follow what is the
// business of internal/link.
//
// A frame is a header and a payload. All integers are big-endian.
//
//	0      type      see [Type]
//	1      flags     see [Flags]; undefined bits are zero
//	2–3    length    of the payload, 0…16,000
//	4–7    id        a channel, request or stream number, or 0
//	8–     payload
//
// [ParseHeader] checks all that a header alone can tell. The Parse function of
// the frame then takes the payload; frames of type DATA and all but the first
// frame of a message or answer are bytes and need none.
//
//	n, err := wire.Complete(buffered)           // 0: read more
//	h, err := wire.ParseHeader(buffered)
//	payload := buffered[wire.HeaderSize:n]
//	switch h.Type {
//	case wire.TypeCredit:
//		credit, err := wire.ParseCredit(payload)
//	…
//
// Decoders are strict: there is one encoding for each value, and each
// violation is an [*Error]. They allocate only the strings that they return
// and never by a length that they read; slices that they return alias the
// input. Names are checked for length and UTF-8 here; the rules for characters
// are keys.CheckName's.
//
// Encoders of frames append to a slice and allocate only to make it grow. They
// panic with an [*Error] when asked for a frame that the decoder would refuse:
// what comes from outside or from a user is checked before it gets here.
// Hello and welcome are put together from configuration, so theirs return the
// error.
package wire
