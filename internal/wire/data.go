package wire

// AppendData appends a DATA frame of stream id with 1 to MaxPayload bytes
// (docs/protocol.md, section 11). The payload of one that was received is the
// data; there is nothing to parse. It is for tests; a link adds to the frame that waits.
func AppendData(b []byte, id uint32, data []byte) []byte {
	b = Header{Type: TypeData, Len: len(data), ID: id}.Append(b)
	return append(b, data...)
}
