package resume

import (
	"encoding/binary"

	"github.com/pysock/pysock/internal/wire"
)

// The flags of a record. Each brings its field, in this order (docs/protocol.md, section 17.1).
const (
	flagAck   = 0x01 // 8 bytes
	flagPing  = 0x02 // 4 bytes
	flagPong  = 0x04 // 4 bytes
	flagRetry = 0x08 // 4 bytes

	allFlags = flagAck | flagPing | flagPong | flagRetry
)

// header is what goes before the stream's bytes in a record. A field counts only if its flag is
// set.
type header struct {
	flags byte
	ack   uint64 // how many bytes of the other side's stream have arrived
	ping  uint32 // id
	pong  uint32 // id of a PING
	retry uint32 // milliseconds
}

func (h *header) has(flag byte) bool { return h.flags&flag != 0 }

func (h *header) size() int {
	n := 1
	if h.has(flagAck) {
		n += 8
	}
	for _, flag := range [...]byte{flagPing, flagPong, flagRetry} {
		if h.has(flag) {
			n += 4
		}
	}
	return n
}

// append appends size bytes.
func (h *header) append(b []byte) []byte {
	b = append(b, h.flags)
	if h.has(flagAck) {
		b = binary.BigEndian.AppendUint64(b, h.ack)
	}
	if h.has(flagPing) {
		b = binary.BigEndian.AppendUint32(b, h.ping)
	}
	if h.has(flagPong) {
		b = binary.BigEndian.AppendUint32(b, h.pong)
	}
	if h.has(flagRetry) {
		b = binary.BigEndian.AppendUint32(b, h.retry)
	}
	return b
}

// parse takes a record apart; stream aliases it. The error is a *wire.Error.
func parse(b []byte) (h header, stream []byte, err error) {
	if len(b) == 0 {
		return h, nil, breach("a record without flags")
	}
	h.flags, b = b[0], b[1:]
	switch {
	case h.flags&^allFlags != 0:
		return h, nil, breach("undefined flags of a record are set")
	case len(b) < h.size()-1:
		return h, nil, breach("a record is cut short")
	case h.flags == 0 && len(b) == 0:
		return h, nil, breach("an empty record")
	}
	if h.has(flagAck) {
		h.ack, b = binary.BigEndian.Uint64(b), b[8:]
	}
	h.ping, b = take(&h, flagPing, b)
	h.pong, b = take(&h, flagPong, b)
	h.retry, b = take(&h, flagRetry, b)
	return h, b, nil
}

// take reads the field of a flag, if that is set.
func take(h *header, flag byte, b []byte) (uint32, []byte) {
	if !h.has(flag) {
		return 0, b
	}
	return binary.BigEndian.Uint32(b), b[4:]
}

// breach is an error of the other side, which ends the session.
func breach(what string) error {
	return &wire.Error{What: "resume: " + what, Code: wire.CodeProtocol}
}
