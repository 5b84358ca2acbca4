package channel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// The major types of RFC 8949, section 3.1.
const (
	majorUint   = 0
	majorNegInt = 1
	majorBytes  = 2
	majorText   = 3
	majorArray  = 4
	majorMap    = 5
	majorTag    = 6
	majorSimple = 7 // and floats
)

// Additional information of a head, RFC 8949, section 3.
const (
	infoOneByte    = 24
	infoFloat16    = 25
	infoFloat32    = 26
	infoFloat64    = 27
	infoIndefinite = 31

	simpleFalse     = 20
	simpleUndefined = 23 // true and null lie between
)

var (
	errTruncated  = errors.New("it ends too early")
	errTrailing   = errors.New("bytes follow the value")
	errIndefinite = errors.New("a length is indefinite")
	errReserved   = errors.New("a reserved head")
	errSimple     = errors.New("an unknown simple value")
	errUTF8       = errors.New("text that is not UTF-8")
	errNaNKey     = errors.New("NaN in a map's key")
	errTime       = errors.New("tag 0 on what is not the text of a time with a year of four digits")
	errNesting    = fmt.Errorf("more than %d arrays, maps and tags in one another", maxNesting)
	errItems      = fmt.Errorf("more than %d items", maxItems)
)

// level is an array, a map or a tag that check is within.
type level struct {
	left  uint64 // items that are to come
	isMap bool   // keys and values take turns
	inKey bool   // it is the key of a map, or within one
}

// check reports whether body is one CBOR data item within the limits. It goes once over the bytes
// and allocates nothing.
//
// The cbor package checks most of this again, but it bounds every array by itself, and a message of
// 16 MiB holds so many empty arrays and maps that they would take a gigabyte in memory: check
// bounds all of them together. It also reads the text that a decoder skips, refuses the keys that
// no map can find again, and is the only check of what is sent.
func check(body []byte) error { return checkWithin(body, maxItems) }

func checkWithin(body []byte, most int) error {
	var levels [maxNesting + 1]level
	levels[0].left = 1
	depth, items := 0, 0
	rest := body
	for depth >= 0 {
		in := &levels[depth]
		if in.left == 0 {
			depth--
			continue
		}
		in.left--
		inKey := in.inKey || in.isMap && in.left%2 == 1
		if items++; items > most {
			return at(errItems, body, rest)
		}
		h, err := cutHead(rest)
		if err != nil {
			return at(err, body, rest)
		}
		after := rest[h.size:]
		var inner uint64
		switch h.major {
		case majorBytes, majorText:
			if h.arg > uint64(len(after)) {
				return at(errTruncated, body, rest)
			}
			if h.major == majorText && !utf8.Valid(after[:h.arg]) {
				return at(errUTF8, body, rest)
			}
			after = after[h.arg:]
		case majorArray, majorMap:
			if h.arg > uint64(most) {
				return at(errItems, body, rest)
			}
			inner = h.arg
			if h.major == majorMap {
				inner *= 2
			}
		case majorTag:
			inner = 1
			if h.arg == 0 && !isTime(after) {
				return at(errTime, body, rest)
			}
		case majorSimple:
			if inKey && h.isNaN() {
				return at(errNaNKey, body, rest)
			}
		}
		if h.major >= majorArray && h.major <= majorTag {
			if depth == maxNesting {
				return at(errNesting, body, rest)
			}
			depth++
			levels[depth] = level{left: inner, isMap: h.major == majorMap, inKey: inKey}
		}
		rest = after
	}
	if len(rest) > 0 {
		return at(errTrailing, body, rest)
	}
	return nil
}

// at says where in body the rest begins that is wrong.
func at(err error, body, rest []byte) error {
	return fmt.Errorf("not a CBOR value: %w, at byte %d", err, len(body)-len(rest))
}

// head is the start of a data item: its type and its number, count, length or bits.
type head struct {
	major, info byte
	arg         uint64
	size        int
}

// cutHead reads the head that b starts with.
func cutHead(b []byte) (head, error) {
	if len(b) == 0 {
		return head{}, errTruncated
	}
	h := head{major: b[0] >> 5, info: b[0] & 31, size: 1}
	switch {
	case h.info < infoOneByte:
		h.arg = uint64(h.info)
	case h.info <= infoFloat64:
		n := 1 << (h.info - infoOneByte)
		if len(b) < 1+n {
			return head{}, errTruncated
		}
		var wide [8]byte
		copy(wide[8-n:], b[1:1+n])
		h.arg, h.size = binary.BigEndian.Uint64(wide[:]), 1+n
	case h.info == infoIndefinite && h.major != majorUint && h.major != majorNegInt && h.major != majorTag:
		return head{}, errIndefinite
	default:
		return head{}, errReserved
	}
	if h.major == majorSimple && (h.info < simpleFalse || h.info > simpleUndefined && h.info <= infoOneByte) {
		return head{}, errSimple
	}
	return h, nil
}

// isTime reports whether b starts with text that could be RFC 3339's, which is what tag 0 stands
// before. The encoder writes the year 10000 with five digits, and no decoder could read that.
func isTime(b []byte) bool {
	h, err := cutHead(b)
	return err == nil && h.major == majorText && h.arg > 4 && len(b) > h.size+4 && b[h.size+4] == '-'
}

// isNaN reports whether a head of a simple value is a float that is not a number: all bits of the
// exponent and some of the fraction are set.
func (h head) isNaN() bool {
	switch h.info {
	case infoFloat16:
		return h.arg&0x7fff > 0x7c00
	case infoFloat32:
		return h.arg&0x7fff_ffff > 0x7f80_0000
	case infoFloat64:
		return h.arg&0x7fff_ffff_ffff_ffff > 0x7ff0_0000_0000_0000
	}
	return false
}
