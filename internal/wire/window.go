package wire

// AppendWindow appends a WINDOW frame: how many bytes of DATA in all may be sent
// on stream id (docs/protocol.md, section 11).
func AppendWindow(b []byte, id uint32, allowed uint64) []byte {
	return appendUint64(b, TypeWindow, id, allowed)
}

// ParseWindow reads the payload of a WINDOW frame: the total allowed.
func ParseWindow(payload []byte) (allowed uint64, err error) {
	return parseUint64(TypeWindow, payload)
}
