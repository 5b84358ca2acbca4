package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// Fields that more than one payload has.

const wrongLength = "the payload's length is out of range"

func appendUint64(b []byte, t Type, id uint32, v uint64) []byte {
	b = Header{Type: t, Len: 8, ID: id}.Append(b)
	return binary.BigEndian.AppendUint64(b, v)
}

func parseUint64(t Type, payload []byte) (uint64, error) {
	if len(payload) != 8 {
		return 0, bad(t, wrongLength)
	}
	return binary.BigEndian.Uint64(payload), nil
}

// checkName says what is wrong with a name of 1 to max bytes, or nothing.
func checkName(name string, max int) string {
	if len(name) == 0 || len(name) > max {
		return "a name's length is out of range"
	}
	if !utf8.ValidString(name) {
		return "a name is not UTF-8"
	}
	return ""
}

// AppendEmpty appends a frame without a payload: ANSWER-GRANT, CANCEL, ACCEPT,
// END, PING or PONG. It panics with an *Error for other types.
func AppendEmpty(b []byte, t Type, id uint32) []byte {
	return Header{Type: t, ID: id}.Append(b)
}
