package stranger

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// This file is section 3 and appendix A: keys as people see them.

const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// EncodePublic gives the text form of a public key.
func EncodePublic(key []byte) string { return bech32m("pysock", key) }

// EncodePrivate gives the text form of a private key.
func EncodePrivate(key []byte) string { return strings.ToUpper(bech32m("pysock-secret-", key)) }

// DecodePublic reads the text form of a public key.
func DecodePublic(text string) ([]byte, error) {
	if text != strings.ToLower(text) {
		return nil, errors.New("stranger: a public key is in lower case")
	}
	return unbech32m("pysock", text)
}

// DecodePrivate reads the text form of a private key.
func DecodePrivate(text string) ([]byte, error) {
	if text != strings.ToUpper(text) {
		return nil, errors.New("stranger: a private key is in upper case")
	}
	return unbech32m("pysock-secret-", strings.ToLower(text))
}

// Fingerprint is the 20 characters of appendix A.
func Fingerprint(key []byte) string {
	sum := sha256.Sum256(append([]byte("pysock/v1 public key fingerprint\x00"), key...))
	var b strings.Builder
	for i, v := range regroup(sum[:], 8, 5)[:20] {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(alphabet[v])
	}
	return strings.ToUpper(b.String())
}

// SafetyNumber is the twelve groups of appendix A.
func SafetyNumber(a, b []byte) string {
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	sum := sha512.Sum512(bytes.Join([][]byte{[]byte("pysock/v1 safety number\x00"), a, b}, nil))
	var groups []string
	for i := 0; i < 60; i += 5 {
		n := binary.BigEndian.Uint64(append([]byte{0, 0, 0}, sum[i:i+5]...))
		groups = append(groups, fmt.Sprintf("%05d", n%100_000))
	}
	return strings.Join(groups, " ")
}

// regroup reads bits, most significant first, in groups of another size; the
// last one is filled with zeros.
func regroup(in []byte, from, to uint) []byte {
	var out []byte
	acc, bits := uint(0), uint(0)
	for _, v := range in {
		acc = (acc<<from | uint(v)) & 0xffff
		for bits += from; bits >= to; {
			bits -= to
			out = append(out, byte(acc>>bits)&(1<<to-1))
		}
	}
	if bits > 0 {
		out = append(out, byte(acc<<(to-bits))&(1<<to-1))
	}
	return out
}

func bech32m(hrp string, data []byte) string {
	values := regroup(data, 8, 5)
	sum := polymod(append(append(expand(hrp), values...), 0, 0, 0, 0, 0, 0)) ^ 0x2bc830a3
	for i := 5; i >= 0; i-- {
		values = append(values, byte(sum>>(5*i))&31)
	}
	out := []byte(hrp + "1")
	for _, v := range values {
		out = append(out, alphabet[v])
	}
	return string(out)
}

func unbech32m(hrp, text string) ([]byte, error) {
	digits, ok := strings.CutPrefix(text, hrp+"1")
	if !ok || len(digits) != 52+6 {
		return nil, errors.New("stranger: not the text of a key")
	}
	var values []byte
	for i := range len(digits) {
		v := strings.IndexByte(alphabet, digits[i])
		if v < 0 {
			return nil, errors.New("stranger: a character that no key has")
		}
		values = append(values, byte(v))
	}
	key := regroup(values[:52], 5, 8)[:32]
	if bech32m(hrp, key) != text { // checks the sum and the four bits of padding
		return nil, errors.New("stranger: the checksum of a key is wrong")
	}
	return key, nil
}

func expand(hrp string) []byte {
	var out []byte
	for i := range len(hrp) {
		out = append(out, hrp[i]>>5)
	}
	out = append(out, 0)
	for i := range len(hrp) {
		out = append(out, hrp[i]&31)
	}
	return out
}

func polymod(values []byte) uint32 {
	generator := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	sum := uint32(1)
	for _, v := range values {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range generator {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	return sum
}
