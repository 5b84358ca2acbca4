package wire

// AppendOpenStream appends an OPEN frame without FlagPipe: stream id, with a name
// of 1 to MaxStreamName bytes (docs/protocol.md, section 11).
func AppendOpenStream(b []byte, id uint32, name string) []byte {
	return appendNamed(b, TypeOpen, id, name, MaxStreamName)
}

// ParseOpenStream reads the payload of an OPEN frame without FlagPipe: the
// stream's name. For one with the flag there is ParsePipeOpen.
func ParseOpenStream(payload []byte) (name string, err error) {
	return parseNamed(TypeOpen, payload, MaxStreamName)
}

func (h Header) checkOpen() string {
	if h.Flags.Has(FlagPipe) && h.Len < minPipeOpen || !h.Flags.Has(FlagPipe) && h.Len > MaxStreamName {
		return wrongLength
	}
	return ""
}
