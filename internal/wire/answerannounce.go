package wire

// AppendAnswerAnnounce appends an ANSWER-ANNOUNCE frame: the answer to request id
// costs more than its allowance, and so more than MinAllowance, and at most
// MaxMaxMessage (docs/protocol.md, section 10).
func AppendAnswerAnnounce(b []byte, id, cost uint32) []byte {
	return appendCost(b, TypeAnswerAnnounce, id, cost)
}

// ParseAnswerAnnounce reads the payload of an ANSWER-ANNOUNCE frame: the cost,
// in the range that AppendAnswerAnnounce gives. Whether it is within the
// receiver's max message is the caller's to check.
func ParseAnswerAnnounce(payload []byte) (cost uint32, err error) {
	return parseCost(TypeAnswerAnnounce, payload)
}
