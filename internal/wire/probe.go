package wire

// AppendProbe appends a PROBE frame, which asks for a CREDIT as soon as channel
// id's taken total reaches total (docs/protocol.md, section 9).
func AppendProbe(b []byte, id uint32, total uint64) []byte {
	return appendUint64(b, TypeProbe, id, total)
}

// ParseProbe reads the payload of a PROBE frame: the total.
func ParseProbe(payload []byte) (total uint64, err error) {
	return parseUint64(TypeProbe, payload)
}
