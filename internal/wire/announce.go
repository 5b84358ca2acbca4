package wire

import "encoding/binary"

// AppendAnnounce appends an ANNOUNCE frame: a message of that cost, which must be
// larger than InitialCredit and at most MaxMaxMessage, waits for credit on
// channel id (docs/protocol.md, section 9).
func AppendAnnounce(b []byte, id, cost uint32) []byte {
	return appendCost(b, TypeAnnounce, id, cost)
}

// ParseAnnounce reads the payload of an ANNOUNCE frame: the cost, in the range
// that AppendAnnounce gives. Whether it is within the receiver's max message is
// the caller's to check.
func ParseAnnounce(payload []byte) (cost uint32, err error) {
	return parseCost(TypeAnnounce, payload)
}

func appendCost(b []byte, t Type, id, cost uint32) []byte {
	if what := checkCost(cost); what != "" {
		panic(bad(t, what))
	}
	b = Header{Type: t, Len: 4, ID: id}.Append(b)
	return binary.BigEndian.AppendUint32(b, cost)
}

func parseCost(t Type, payload []byte) (uint32, error) {
	if len(payload) != 4 {
		return 0, bad(t, wrongLength)
	}
	cost := binary.BigEndian.Uint32(payload)
	if what := checkCost(cost); what != "" {
		return 0, bad(t, what)
	}
	return cost, nil
}

// checkCost refuses an announcement of what may be sent without: nothing up to
// the least window and the least allowance needs one.
func checkCost(cost uint32) string {
	if cost <= InitialCredit || cost > MaxMaxMessage {
		return "the cost is out of range"
	}
	return ""
}
