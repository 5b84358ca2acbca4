package wire

// Error is a breach of the encoding by whoever wrote the bytes. Its text is one
// short line and holds nothing of the input but numbers, so that it can go into
// a log and into the reason of a CLOSE.
type Error struct {
	// Frame is the type of the frame, known or not; 0 for hello, welcome and a cut header.
	Frame Type
	// What was wrong.
	What string
	// Code is what to answer with: CodeProtocol, but CodeBadName for a name in
	// a hello, which wants a refusal of its own (docs/protocol.md, section 2).
	Code uint16
}

// Error says which frame, and what was wrong with it.
func (e *Error) Error() string {
	if e.Frame == 0 {
		return "wire: " + e.What
	}
	return "wire: " + e.Frame.String() + ": " + e.What
}

func bad(t Type, what string) error { return &Error{t, what, CodeProtocol} }
