package wire

import "encoding/binary"

// Header is what stands before the payload of every frame.
type Header struct {
	// Type says what the frame is.
	Type Type
	// Flags of the frame, 0 for most types.
	Flags Flags
	// Len is the length of the payload in bytes.
	Len int
	// ID is a channel, request or stream number, or 0, as the type says.
	ID uint32
}

// ParseHeader reads the header at the start of b, of which at least HeaderSize
// bytes must be there. It checks all that the header alone can tell: that the
// type is known, and its flags, length and id allowed. The error is an *Error.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, bad(0, "a header is cut short")
	}
	h := Header{
		Type:  Type(b[0]),
		Flags: Flags(b[1]),
		Len:   int(binary.BigEndian.Uint16(b[2:])),
		ID:    binary.BigEndian.Uint32(b[4:]),
	}
	if what := h.check(); what != "" {
		return Header{}, bad(h.Type, what)
	}
	return h, nil
}

// Append appends the header's 8 bytes to b. It panics with an *Error if
// ParseHeader would refuse them.
func (h Header) Append(b []byte) []byte {
	if what := h.check(); what != "" {
		panic(bad(h.Type, what))
	}
	b = append(b, byte(h.Type), byte(h.Flags))
	b = binary.BigEndian.AppendUint16(b, uint16(h.Len))
	return binary.BigEndian.AppendUint32(b, h.ID)
}

// Complete is the size in bytes of the frame at the start of b, header and
// payload, or 0 if more bytes are needed to have it whole. It returns
// ParseHeader's error as soon as the header is there. It is for tests and examples; a link's reader
// does this step by step.
func Complete(b []byte) (n int, err error) {
	if len(b) < HeaderSize {
		return 0, nil
	}
	h, err := ParseHeader(b)
	if err != nil {
		return 0, err
	}
	if len(b)-HeaderSize < h.Len {
		return 0, nil
	}
	return HeaderSize + h.Len, nil
}

// check says what is wrong with h, or nothing.
func (h Header) check() string {
	if !h.Type.known() {
		return "unknown type"
	}
	r := &rules[h.Type]
	if h.Flags&^r.flags != 0 {
		return "undefined flags are set"
	}
	if h.Len < r.min || h.Len > r.max {
		return wrongLength
	}
	if !r.id.allows(h.ID) {
		return "the id is out of range"
	}
	switch h.Type {
	case TypeMessage:
		return h.checkPart(messagePrefix(h.Flags))
	case TypeAnswer:
		return h.checkAnswer()
	case TypeOpen:
		return h.checkOpen()
	}
	return ""
}

// checkPart is what frames of messages and answers have in common; prefix is
// what goes before the body in this frame.
func (h Header) checkPart(prefix int) string {
	const onlyFirst = FlagRequest | encodingMask
	switch {
	case h.Flags.Encoding() == encodingInvalid:
		return "encoding 3 is not defined"
	case !h.Flags.Has(FlagFirst) && h.Flags&onlyFirst != 0:
		return "flags of the first frame on a later one"
	case !h.Flags.Has(FlagLast) && h.Len != MaxPayload:
		return notFull
	case h.Len < prefix:
		return "the payload is too short for its fields"
	case !h.Flags.Has(FlagFirst) && h.Len == 0:
		return "a later frame must not be empty"
	}
	return ""
}

func (i ids) allows(id uint32) bool {
	switch i {
	case idChannel:
		return id != 0 && id <= MaxChannels
	case idNonZero:
		return id != 0
	case idZero:
		return id == 0
	default:
		return true
	}
}
