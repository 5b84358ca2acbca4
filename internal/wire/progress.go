package wire

// AppendProgress appends a PROGRESS frame: how many bytes of frames have been
// read since the start of the link (docs/protocol.md, section 13).
func AppendProgress(b []byte, total uint64) []byte {
	return appendUint64(b, TypeProgress, 0, total)
}

// ParseProgress reads the payload of a PROGRESS frame: the total.
func ParseProgress(payload []byte) (total uint64, err error) {
	return parseUint64(TypeProgress, payload)
}
