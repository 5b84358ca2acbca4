package wire

import "encoding/binary"

// reader takes fields off a payload of several. After the first that is not all
// there it gives zeros, and done says so; a caller checks once, at the end.
type reader struct {
	rest  []byte
	short bool
}

// bytes aliases the payload; n never makes it allocate.
func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.rest, r.short = nil, true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint8() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// done says whether the fields were all there and nothing is left over.
func (r *reader) done() string {
	switch {
	case r.short:
		return "it is cut short"
	case len(r.rest) > 0:
		return "bytes are left over at its end"
	}
	return ""
}
