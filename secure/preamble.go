package secure

import (
	"encoding/binary"

	"github.com/pysock/pysock/secure/internal/noise"
)

// The preamble is the initiator's first 8 bytes, in the clear:
//
//	0..5  "PYSOCK"
//	6     major version
//	7     minor version
//
// A responder sends one only to say that it does not know the major version.
// Its first two bytes, read as the length of message 2, are larger than any
// allowed length; that is how the initiator tells the two apart.
const (
	magic        = "PYSOCK"
	preambleSize = 8
)

// local is what this code speaks.
var local = Version{Major: 1, Minor: 0}

func (v Version) preamble() [preambleSize]byte {
	var p [preambleSize]byte
	copy(p[:], magic)
	p[6], p[7] = v.Major, v.Minor
	return p
}

// parsePreamble reports false for wrong magic. Any version parses.
func parsePreamble(p [preambleSize]byte) (Version, bool) {
	return Version{p[6], p[7]}, string(p[:len(magic)]) == magic
}

// prologue is what both sides hash before the first message. It keeps apart
// handshakes of different versions, of hops and pipes, and of different pipes.
// Items carry their lengths, so that no two lists are the same bytes.
func prologue(preamble [preambleSize]byte, pipe *Binding) []byte {
	items := [][]byte{preamble[:], []byte(noise.XXhfs.Name()), []byte("hop")}
	if pipe != nil {
		items[2] = []byte("pipe")
		items = append(items, pipe.ID[:], []byte(pipe.Opener), []byte(pipe.Target))
	}
	var out []byte
	for _, item := range items {
		out = binary.BigEndian.AppendUint16(out, uint16(len(item)))
		out = append(out, item...)
	}
	return out
}
