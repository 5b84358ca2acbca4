package wire

import "encoding/binary"

// AnswerStart is what goes before the body in the first frame of an answer that
// is not an error (docs/protocol.md, section 10).
type AnswerStart struct {
	// Total is the length of the whole body, at most MaxBody.
	Total uint32
}

// ParseAnswerStart reads the payload of an ANSWER frame with FlagFirst and
// without FlagError, whose header is h. The body is the first part of the
// answer, or all if FlagLast is set, and aliases payload. For an ERROR answer
// there is ParseErrorBody.
func ParseAnswerStart(h Header, payload []byte) (start AnswerStart, body []byte, err error) {
	if what := checkFirst(h, TypeAnswer, payload); what != "" {
		return AnswerStart{}, nil, bad(TypeAnswer, what)
	}
	if h.Flags.Has(FlagLast) {
		return AnswerStart{uint32(len(payload))}, payload, nil
	}
	start.Total, body = binary.BigEndian.Uint32(payload), payload[4:]
	if what := checkTotal(h.Flags, start.Total); what != "" {
		return AnswerStart{}, nil, bad(TypeAnswer, what)
	}
	return start, body, nil
}

// AppendAnswer appends a whole answer to request id, cut into as many frames as
// it takes. Of flags, the encoding counts. It is for tests; a link takes CutAnswer.
func AppendAnswer(b []byte, id uint32, flags Flags, body []byte) []byte {
	c := CutAnswer(id, flags, body)
	return c.appendAll(b)
}

func (h Header) checkAnswer() string {
	if !h.Flags.Has(FlagError) {
		return h.checkPart(messagePrefix(h.Flags))
	}
	if h.Flags != FlagFirst|FlagLast|FlagError {
		return "an error answer is one frame without an encoding"
	}
	if h.Len < 2 || h.Len > 2+MaxText {
		return wrongLength
	}
	return ""
}
