package wire

const zeroSkip = "the amount is zero"

// AppendSkip appends a SKIP frame, which gives amount bytes of channel id's
// credit back unused; at least 1 (docs/protocol.md, section 9).
func AppendSkip(b []byte, id uint32, amount uint64) []byte {
	if amount == 0 {
		panic(bad(TypeSkip, zeroSkip))
	}
	return appendUint64(b, TypeSkip, id, amount)
}

// ParseSkip reads the payload of a SKIP frame: the amount, which is not 0.
func ParseSkip(payload []byte) (amount uint64, err error) {
	amount, err = parseUint64(TypeSkip, payload)
	if err == nil && amount == 0 {
		return 0, bad(TypeSkip, zeroSkip)
	}
	return amount, err
}
