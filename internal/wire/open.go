package wire

// AppendOpenStream appends an OPEN frame without FlagPipe: stream id, with a name
// of 1 to MaxStreamName bytes (docs/protocol.md, section 11).
func AppendOpenStream(b []byte, id uint32, name string) []byte {
	if what := checkName(name, MaxStreamName); what != "" {
		panic(bad(TypeOpen, what))
	}
	b = Header{Type: TypeOpen, Len: len(name), ID: id}.Append(b)
	return append(b, name...)
}

// ParseOpenStream reads the payload of an OPEN frame without FlagPipe: the
// stream's name. For one with the flag there is ParsePipeOpen.
func ParseOpenStream(payload []byte) (name string, err error) {
	name = string(payload)
	if what := checkName(name, MaxStreamName); what != "" {
		return "", bad(TypeOpen, what)
	}
	return name, nil
}

func (h Header) checkOpen() string {
	if h.Flags.Has(FlagPipe) && h.Len < minPipeOpen || !h.Flags.Has(FlagPipe) && h.Len > MaxStreamName {
		return wrongLength
	}
	return ""
}
