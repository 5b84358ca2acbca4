package wire

import "encoding/binary"

const (
	notFull     = "a frame that is not the last must be full"
	bodyTooLong = "the body's length is out of range"
)

// MessageStart is what goes before the body in the first frame of a message
// (docs/protocol.md, section 8).
type MessageStart struct {
	// Total is the length of the whole body, at most MaxBody.
	Total uint32
	// Request is the id of the request, not 0; 0 for a message that is none.
	Request uint32
	// Allowance is the cost of the answer that may come without announcement,
	// MinAllowance to MaxAllowance; 0 for a message that is no request.
	Allowance uint32
}

// ParseMessageStart reads the payload of a MESSAGE frame with FlagFirst, whose
// header is h. The body is the first part of the message, or all if FlagLast is
// set, and aliases payload. Later frames hold nothing but body; that their sum
// comes to Total is the caller's to check.
func ParseMessageStart(h Header, payload []byte) (start MessageStart, body []byte, err error) {
	if what := checkFirst(h, TypeMessage, payload); what != "" {
		return MessageStart{}, nil, bad(TypeMessage, what)
	}
	body = payload
	if !h.Flags.Has(FlagLast) {
		start.Total, body = binary.BigEndian.Uint32(body), body[4:]
	}
	if h.Flags.Has(FlagRequest) {
		start.Request = binary.BigEndian.Uint32(body)
		start.Allowance = binary.BigEndian.Uint32(body[4:])
		body = body[8:]
	}
	if h.Flags.Has(FlagLast) {
		start.Total = uint32(len(body))
	}
	if what := start.check(h.Flags); what != "" {
		return MessageStart{}, nil, bad(TypeMessage, what)
	}
	return start, body, nil
}

// AppendMessage appends a whole message, cut into as many frames as it takes.
// Of flags, FlagRequest and the encoding count; of start, Request and Allowance
// do, and Total is len(body). It is for tests, which play the other side; a link takes CutMessage.
func AppendMessage(b []byte, id uint32, flags Flags, start MessageStart, body []byte) []byte {
	c := CutMessage(id, flags, start, body)
	return c.appendAll(b)
}

// check is for both directions; flags are the first frame's.
func (s MessageStart) check(flags Flags) string {
	if what := checkTotal(flags, s.Total); what != "" {
		return what
	}
	if !flags.Has(FlagRequest) {
		if s.Request != 0 || s.Allowance != 0 {
			return "a request id without the flag"
		}
		return ""
	}
	if s.Request == 0 {
		return "the request id is zero"
	}
	if s.Allowance < MinAllowance || s.Allowance > MaxAllowance {
		return "the answer allowance is out of range"
	}
	return ""
}

// messagePrefix is how much goes before the body in a frame with these flags.
func messagePrefix(flags Flags) int {
	n := 0
	if flags.Has(FlagFirst) && !flags.Has(FlagLast) {
		n += 4
	}
	if flags.Has(FlagRequest) {
		n += 8
	}
	return n
}

func checkFirst(h Header, t Type, payload []byte) string {
	switch {
	case h.Type != t || !h.Flags.Has(FlagFirst) || h.Flags.Has(FlagError):
		return "it is not the first frame of a body"
	case len(payload) != h.Len || h.Len < messagePrefix(h.Flags):
		return wrongLength
	case !h.Flags.Has(FlagLast) && h.Len != MaxPayload:
		return notFull
	}
	return ""
}

// checkTotal keeps to one way of cutting a body: what fits into one frame, which
// then holds no total, is not cut.
func checkTotal(flags Flags, total uint32) string {
	switch {
	case flags.Has(FlagLast):
		return ""
	case total <= uint32(MaxPayload-messagePrefix(flags|FlagLast)):
		return "a body was cut that fits into one frame"
	case total > MaxBody:
		return bodyTooLong
	}
	return ""
}
