package wire

// ErrorBody is the body of an ANSWER frame with FlagError, which is the whole
// answer (docs/protocol.md, section 10).
type ErrorBody struct {
	// Code is one of the Code constants, or the application's own.
	Code uint16
	// Text is for people, at most MaxText bytes of UTF-8. One that was parsed
	// comes from outside: quote it before it reaches a terminal or a log.
	Text string
}

// Append appends an ERROR answer to request id to b. The text is mended and cut
// as AppendReason does.
func (e ErrorBody) Append(b []byte, id uint32) []byte {
	const flags = FlagFirst | FlagLast | FlagError
	b = Header{Type: TypeAnswer, Flags: flags, Len: 2 + textLen(e.Text), ID: id}.Append(b)
	return appendReason(b, Reason(e))
}

// ParseErrorBody reads the payload of an ANSWER frame with FlagError.
func ParseErrorBody(payload []byte) (ErrorBody, error) {
	r, err := ParseReason(TypeAnswer, payload)
	return ErrorBody(r), err
}
