package wire

import "encoding/binary"

// sequenceSize is what goes before the name in a CHANNEL frame.
const sequenceSize = 8

// AppendChannel appends a CHANNEL frame, which gives the number id to a name of
// 1 to MaxChannelName bytes (docs/protocol.md, section 8). sequence is the number
// of the first message on it, requests not counted (section 8.1).
func AppendChannel(b []byte, id uint32, sequence uint64, name string) []byte {
	if what := checkChannel(sequence, name); what != "" {
		panic(bad(TypeChannel, what))
	}
	b = Header{Type: TypeChannel, Len: sequenceSize + len(name), ID: id}.Append(b)
	b = binary.BigEndian.AppendUint64(b, sequence)
	return append(b, name...)
}

// ParseChannel reads the payload of a CHANNEL frame: the number of the first
// message, and the channel's name.
func ParseChannel(payload []byte) (sequence uint64, name string, err error) {
	if len(payload) < sequenceSize {
		return 0, "", bad(TypeChannel, "it is cut short")
	}
	sequence, name = binary.BigEndian.Uint64(payload), string(payload[sequenceSize:])
	if what := checkChannel(sequence, name); what != "" {
		return 0, "", bad(TypeChannel, what)
	}
	return sequence, name, nil
}

func checkChannel(sequence uint64, name string) string {
	if sequence > MaxSequence {
		return "the sequence is out of range"
	}
	return checkName(name, MaxChannelName)
}
