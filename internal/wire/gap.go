package wire

const zeroGap = "the count is zero"

// AppendGap appends a GAP frame: the sender has left count messages out here, at least 1, of channel id
// (docs/protocol.md, section 8).
func AppendGap(b []byte, id uint32, count uint64) []byte {
	if count == 0 {
		panic(bad(TypeGap, zeroGap))
	}
	return appendUint64(b, TypeGap, id, count)
}

// ParseGap reads the payload of a GAP frame: the count, which is not 0 and may be as large as 64 bits are.
func ParseGap(payload []byte) (count uint64, err error) {
	count, err = parseUint64(TypeGap, payload)
	if err == nil && count == 0 {
		return 0, bad(TypeGap, zeroGap)
	}
	return count, err
}
