package keys

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"strings"
)

// The labels separate these hashes from any other use of the same keys and from
// each other. Both are part of what people compare: they never change.
const (
	fingerprintLabel = "pysock/v1 public key fingerprint\x00"
	safetyLabel      = "pysock/v1 safety number\x00"
)

// Fingerprint returns a short form of the key to read aloud: five groups of four
// characters joined by hyphens, 100 bits of a SHA-256. Its letters and digits leave
// out 1, B, I and O, which are easily taken for others. The zero key has "(no key)".
func (p PublicKey) Fingerprint() string {
	if p.IsZero() {
		return p.String()
	}
	sum := sha256.Sum256(append([]byte(fingerprintLabel), p.b[:]...))
	var s strings.Builder
	for i := range 20 {
		if i > 0 && i%4 == 0 {
			s.WriteByte('-')
		}
		// Five bits at bit 5i: always within two bytes.
		two := binary.BigEndian.Uint16(sum[5*i/8:])
		s.WriteByte(bech32Alphabet[two>>(11-5*i%8)&31])
	}
	return strings.ToUpper(s.String())
}

// SafetyNumber returns what two peers compare, aloud or on paper, to know that
// nobody sits between them: twelve groups of five digits separated by spaces. It is
// the same for either order of the keys and in every session.
//
// It is SHA-512 over the label "pysock/v1 safety number", a zero byte, and the two
// keys, the lesser first; each group is five bytes of it, big-endian, modulo 100000.
func SafetyNumber(a, b PublicKey) string {
	if bytes.Compare(a.b[:], b.b[:]) > 0 {
		a, b = b, a
	}
	sum := sha512.Sum512(b.AppendTo(a.AppendTo([]byte(safetyLabel))))
	groups := make([]string, 12)
	for i := range groups {
		var wide [8]byte
		copy(wide[3:], sum[5*i:5*i+5])
		groups[i] = fmt.Sprintf("%05d", binary.BigEndian.Uint64(wide[:])%100000)
	}
	return strings.Join(groups, " ")
}
