package wire

// AppendChannel appends a CHANNEL frame, which gives the number id to a name of
// 1 to MaxChannelName bytes (docs/protocol.md, section 8).
func AppendChannel(b []byte, id uint32, name string) []byte {
	return appendNamed(b, TypeChannel, id, name, MaxChannelName)
}

// ParseChannel reads the payload of a CHANNEL frame: the channel's name.
func ParseChannel(payload []byte) (name string, err error) {
	return parseNamed(TypeChannel, payload, MaxChannelName)
}

func appendNamed(b []byte, t Type, id uint32, name string, max int) []byte {
	if what := checkName(name, max); what != "" {
		panic(bad(t, what))
	}
	b = Header{Type: t, Len: len(name), ID: id}.Append(b)
	return append(b, name...)
}

func parseNamed(t Type, payload []byte, max int) (string, error) {
	name := string(payload)
	if what := checkName(name, max); what != "" {
		return "", bad(t, what)
	}
	return name, nil
}
