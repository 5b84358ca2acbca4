package wire

import "encoding/binary"

// Kind says what a channel is for (docs/protocol.md, section 8). Each kind has channel names of its own.
type Kind uint8

// The kinds of channels.
const (
	KindApplication Kind = 0 // the applications' own
	KindService     Kind = 1 // a client's requests to its server itself
	KindGroup       Kind = 2 // each message's body begins with a GroupHead, and its numbers begin with 0 on each link

	// Kinds is how many there are.
	Kinds = 3
)

// channelSize is what goes before the name in a CHANNEL frame: the sequence and the kind.
const channelSize = 8 + 1

// AppendChannel appends a CHANNEL frame, which gives the number id to a name of
// 1 to MaxChannelName bytes (docs/protocol.md, section 8). sequence is the number
// of the first message on it, requests not counted (section 8.1).
func AppendChannel(b []byte, id uint32, sequence uint64, kind Kind, name string) []byte {
	if what := checkChannel(sequence, kind, name); what != "" {
		panic(bad(TypeChannel, what))
	}
	b = Header{Type: TypeChannel, Len: channelSize + len(name), ID: id}.Append(b)
	b = binary.BigEndian.AppendUint64(b, sequence)
	b = append(b, byte(kind))
	return append(b, name...)
}

// ParseChannel reads the payload of a CHANNEL frame: the number of the first
// message, and the channel's kind and name.
func ParseChannel(payload []byte) (sequence uint64, kind Kind, name string, err error) {
	if len(payload) < channelSize {
		return 0, 0, "", bad(TypeChannel, "it is cut short")
	}
	sequence, kind, name = binary.BigEndian.Uint64(payload), Kind(payload[8]), string(payload[channelSize:])
	if what := checkChannel(sequence, kind, name); what != "" {
		return 0, 0, "", bad(TypeChannel, what)
	}
	return sequence, kind, name, nil
}

func checkChannel(sequence uint64, kind Kind, name string) string {
	if sequence > MaxSequence {
		return "the sequence is out of range"
	}
	if kind >= Kinds {
		return "there is no such kind"
	}
	if kind == KindGroup && sequence > 0 {
		return "a group channel goes on with the numbers of an earlier link"
	}
	return checkName(name, MaxChannelName)
}
