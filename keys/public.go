package keys

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"fmt"
	"strings"
)

// PublicKeySize is the length of a public key in bytes.
const PublicKeySize = 32

const (
	publicPrefix = "pysock"
	secretPrefix = "PYSOCK-SECRET-"
	secretStart  = secretPrefix + "1"
)

// ErrInvalidKey is wrapped by every error about a key that is not one: wrong text,
// wrong length, or a value that X25519 cannot work with safely. Such errors never
// contain the text that was given.
var ErrInvalidKey = errors.New("not a valid key")

// PublicKey is an X25519 public key, and with it the identity of a peer. It is
// comparable with == and can be the key of a map. The zero value is no key: see
// [PublicKey.IsZero].
//
// Every other PublicKey is canonical (RFC 7748 section 5 has several encodings for
// some points; here each peer has one) and not of low order.
type PublicKey struct {
	b [PublicKeySize]byte
}

// lowOrder lists the canonical points whose Diffie-Hellman result is all zeroes
// whatever the other key is. Comparing costs nothing in a handshake; computing one
// to find out would cost as much as the handshake's own.
var lowOrder = [...]PublicKey{
	{},
	{[32]byte{1}},
	{[32]byte{
		0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
	}},
	{[32]byte{
		0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
	}},
	{[32]byte{
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	}},
}

// NewPublicKey returns the public key whose 32 bytes are b, which it copies. It
// refuses, with an error that wraps [ErrInvalidKey], another length, a point of low
// order (all-zero among them) and an encoding that is not canonical.
func NewPublicKey(b []byte) (PublicKey, error) {
	if len(b) != PublicKeySize {
		return PublicKey{}, fmt.Errorf("%w: a public key has %d bytes, this has %d", ErrInvalidKey, PublicKeySize,
			len(b))
	}
	p := PublicKey{[PublicKeySize]byte(b)}
	if !p.canonical() {
		return PublicKey{}, fmt.Errorf("%w: the public key's encoding is not canonical", ErrInvalidKey)
	}
	for _, low := range lowOrder {
		if p == low {
			return PublicKey{}, fmt.Errorf("%w: the public key is a point of low order", ErrInvalidKey)
		}
	}
	return p, nil
}

// canonical reports whether the number is below the field's prime 2²⁵⁵−19.
func (p PublicKey) canonical() bool {
	if p.b[31] != 0x7f {
		return p.b[31] < 0x7f
	}
	for i := 30; i > 0; i-- {
		if p.b[i] != 0xff {
			return true
		}
	}
	return p.b[0] < 0xed
}

// ParsePublicKey reads the text form pysock1…, strictly: lower case, one encoding
// for a key, no space around it. Every single mistyped, missing, extra or swapped
// character is an error, which wraps [ErrInvalidKey] and does not contain s.
func ParsePublicKey(s string) (PublicKey, error) {
	switch upper := strings.ToUpper(s); {
	case strings.HasPrefix(upper, secretPrefix):
		return PublicKey{},
			fmt.Errorf("%w: this is a private key, which nobody else may see; a public key starts with pysock1",
				ErrInvalidKey)
	case !strings.HasPrefix(upper, "PYSOCK1"):
		return PublicKey{}, fmt.Errorf("%w: a public key starts with pysock1", ErrInvalidKey)
	}
	b, err := bech32Decode(publicPrefix, s)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w; copy the public key again", ErrInvalidKey, err)
	}
	return NewPublicKey(b)
}

// Bytes returns a copy of the key's 32 bytes.
func (p PublicKey) Bytes() []byte { return bytes.Clone(p.b[:]) }

// AppendTo appends the key's 32 bytes to b and returns the extended slice.
func (p PublicKey) AppendTo(b []byte) []byte { return append(b, p.b[:]...) }

// ECDH returns the key for use with crypto/ecdh. The zero key gives a key with
// which every exchange fails.
func (p PublicKey) ECDH() *ecdh.PublicKey {
	k, err := ecdh.X25519().NewPublicKey(p.b[:])
	if err != nil {
		panic("keys: crypto/ecdh refused 32 bytes: " + err.Error())
	}
	return k
}

// IsZero reports whether p is the zero value, that is, no key.
func (p PublicKey) IsZero() bool { return p == PublicKey{} }

// String returns the text form pysock1…, or "(no key)" for the zero value.
func (p PublicKey) String() string {
	if p.IsZero() {
		return "(no key)"
	}
	return bech32Encode(publicPrefix, p.b[:])
}

// MarshalText returns the text form. The zero value is an error: what was written
// for it could not be read back.
func (p PublicKey) MarshalText() ([]byte, error) {
	if p.IsZero() {
		return nil, fmt.Errorf("%w: there is no key to write", ErrInvalidKey)
	}
	return []byte(p.String()), nil
}

// UnmarshalText sets p from its text form, as [ParsePublicKey] does.
func (p *PublicKey) UnmarshalText(text []byte) error {
	k, err := ParsePublicKey(string(text))
	if err != nil {
		return err
	}
	*p = k
	return nil
}
