package keys

import (
	"errors"
	"fmt"
	"strings"
)

// The text form of a key is bech32m (BIP-350). Its checksum detects any four wrong
// characters, and so every substitution and every swap of neighbours; inserted and
// deleted characters change the length, which is fixed.
const (
	bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	bech32Check    = 6
	bech32mFinal   = 0x2bc830a3
	bech32MaxLen   = 90 // beyond it the checksum's guarantee ends
)

var (
	errBech32Case     = errors.New("upper and lower case are mixed, or the wrong one is used")
	errBech32Length   = errors.New("its length is wrong: characters are missing or there are too many")
	errBech32Checksum = errors.New("its checksum does not match: a character is mistyped")
	errBech32Padding  = errors.New("its padding is not zero")
)

// bech32Encode returns the text form of data. The case of hrp is the case of all
// of it.
func bech32Encode(hrp string, data []byte) string {
	lower := strings.ToLower(hrp)
	values := make([]byte, 0, len(data)*8/5+1+bech32Check)
	var acc, bits uint
	for _, b := range data {
		acc = acc<<8 | uint(b)
		for bits += 8; bits >= 5; {
			bits -= 5
			values = append(values, byte(acc>>bits&31))
		}
	}
	if bits > 0 {
		values = append(values, byte(acc<<(5-bits)&31))
	}
	sum := bech32Polymod(lower, append(values, make([]byte, bech32Check)...)) ^ bech32mFinal
	for i := range bech32Check {
		values = append(values, byte(sum>>(5*(bech32Check-1-i))&31))
	}
	var s strings.Builder
	s.WriteString(lower)
	s.WriteByte('1')
	for _, v := range values {
		s.WriteByte(bech32Alphabet[v])
	}
	if hrp != lower {
		return strings.ToUpper(s.String())
	}
	return s.String()
}

// bech32Decode is the exact inverse of [bech32Encode]: for each hrp and data it
// accepts one string only. Its errors do not contain s, which may be a secret.
func bech32Decode(hrp, s string) ([]byte, error) {
	if len(s) > bech32MaxLen {
		return nil, errBech32Length
	}
	// Beyond ASCII there are letters whose lower case is within it, such as the Kelvin
	// sign: they would be second encodings.
	if strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' }) {
		return nil, errors.New("it contains a character that cannot be in a key")
	}
	lower, cased := strings.ToLower(s), strings.ToLower(s)
	if hrp != strings.ToLower(hrp) {
		cased = strings.ToUpper(s)
	}
	if s != cased {
		return nil, errBech32Case
	}
	hrp = strings.ToLower(hrp)
	text, ok := strings.CutPrefix(lower, hrp+"1")
	if !ok {
		return nil, errors.New("its prefix is wrong")
	}
	if len(text) < bech32Check {
		return nil, errBech32Length
	}
	values := make([]byte, len(text))
	for i := range len(text) {
		v := strings.IndexByte(bech32Alphabet, text[i])
		if v < 0 {
			return nil, fmt.Errorf("its character %d cannot be in a key", len(hrp)+2+i)
		}
		values[i] = byte(v)
	}
	if bech32Polymod(hrp, values) != bech32mFinal {
		return nil, errBech32Checksum
	}
	return bech32Regroup(values[:len(values)-bech32Check])
}

// bech32Regroup turns groups of five bits into bytes. What is left over must be
// fewer than five bits and zero, or one value would have several encodings.
func bech32Regroup(values []byte) ([]byte, error) {
	data := make([]byte, 0, len(values)*5/8)
	var acc, bits uint
	for _, v := range values {
		acc = acc<<5 | uint(v)
		bits += 5
		if bits >= 8 {
			bits -= 8
			data = append(data, byte(acc>>bits))
			acc &= 1<<bits - 1
		}
	}
	if bits >= 5 {
		return nil, errBech32Length
	}
	if acc != 0 {
		return nil, errBech32Padding
	}
	return data, nil
}

// bech32Polymod is the checksum of BIP-173 over the expanded prefix and the values.
func bech32Polymod(hrp string, values []byte) uint32 {
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for i := range len(hrp) {
		step(hrp[i] >> 5)
	}
	step(0)
	for i := range len(hrp) {
		step(hrp[i] & 31)
	}
	for _, v := range values {
		step(v)
	}
	return sum
}
