package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// Reason is the payload of REFUSE, RESET, STOP and CLOSE frames.
type Reason struct {
	// Code is one of the Code constants, or the application's own.
	Code uint16
	// Text is for people, at most MaxText bytes of UTF-8. One that was parsed
	// comes from outside: quote it before it reaches a terminal or a log.
	Text string
}

// AppendReason appends a frame of type t, which is REFUSE, RESET, STOP or CLOSE.
// Bytes of the text that are not UTF-8 are replaced by U+FFFD, and what is then
// longer than MaxText is cut off at the end of a character. It panics with an
// *Error for other types and for an id that the type does not allow.
func AppendReason(b []byte, t Type, id uint32, r Reason) []byte {
	switch t {
	case TypeRefuse, TypeReset, TypeStop, TypeClose:
	default:
		panic(bad(t, "it has no reason"))
	}
	b = Header{Type: t, Len: 2 + textLen(r.Text), ID: id}.Append(b)
	return appendReason(b, r)
}

// ParseReason reads the payload of a REFUSE, RESET, STOP or CLOSE frame; t is
// the frame's type, for the error.
func ParseReason(t Type, payload []byte) (Reason, error) {
	if len(payload) < 2 || len(payload) > 2+MaxText {
		return Reason{}, bad(t, wrongLength)
	}
	if !utf8.Valid(payload[2:]) {
		return Reason{}, bad(t, "the text is not UTF-8")
	}
	return Reason{binary.BigEndian.Uint16(payload), string(payload[2:])}, nil
}

func appendReason(b []byte, r Reason) []byte {
	b = binary.BigEndian.AppendUint16(b, r.Code)
	room := MaxText
	for _, c := range r.Text {
		if room -= utf8.RuneLen(c); room < 0 {
			break
		}
		b = utf8.AppendRune(b, c)
	}
	return b
}

// textLen is how much of text appendReason appends. Ranging gives U+FFFD, three
// bytes, for each byte that is not UTF-8.
func textLen(text string) int {
	n := 0
	for _, c := range text {
		if n+utf8.RuneLen(c) > MaxText {
			break
		}
		n += utf8.RuneLen(c)
	}
	return n
}
