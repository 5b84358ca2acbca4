package wire

import "encoding/binary"

const creditSize = 16

// Credit is the payload of a CREDIT frame: totals of costs on a channel since the
// start of the link (docs/protocol.md, section 9).
type Credit struct {
	// Taken is the cost of what the application has taken.
	Taken uint64
	// Allowed is how far the sender may go, at least Taken + InitialCredit.
	Allowed uint64
}

// Append appends a CREDIT frame for channel id to b.
func (c Credit) Append(b []byte, id uint32) []byte {
	if what := c.check(); what != "" {
		panic(bad(TypeCredit, what))
	}
	b = Header{Type: TypeCredit, Len: creditSize, ID: id}.Append(b)
	b = binary.BigEndian.AppendUint64(b, c.Taken)
	return binary.BigEndian.AppendUint64(b, c.Allowed)
}

// ParseCredit reads the payload of a CREDIT frame. That totals do not go back is
// the caller's to check.
func ParseCredit(payload []byte) (Credit, error) {
	if len(payload) != creditSize {
		return Credit{}, bad(TypeCredit, wrongLength)
	}
	c := Credit{binary.BigEndian.Uint64(payload), binary.BigEndian.Uint64(payload[8:])}
	if what := c.check(); what != "" {
		return Credit{}, bad(TypeCredit, what)
	}
	return c, nil
}

func (c Credit) check() string {
	if c.Taken > c.Allowed {
		return "more is taken than allowed"
	}
	if c.Allowed-c.Taken < InitialCredit {
		return "the window is smaller than a channel is guaranteed"
	}
	return ""
}
