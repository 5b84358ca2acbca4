package keys

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// PrivateKeySize is the length of a private key in bytes.
const PrivateKeySize = 32

const redacted = "keys.PrivateKey(redacted)"

var errPrivateMarshal = errors.New("keys: a private key is not marshalled; ask for its Secret where it must be written")

// PrivateKey is an X25519 private key. It is used as *PrivateKey, made by
// [GeneratePrivateKey], [NewPrivateKey] or [ParsePrivateKey], and safe for use by
// several goroutines at once.
//
// It prints as keys.PrivateKey(redacted) under every verb and in every log, refuses
// to be marshalled, and cannot be compared with ==. [PrivateKey.Secret] is the only
// way to its text.
type PrivateKey struct {
	_      [0]func() // comparing secrets with == would leak them through time
	key    *ecdh.PrivateKey
	public PublicKey
}

// GeneratePrivateKey returns a new random key.
func GeneratePrivateKey() (*PrivateKey, error) {
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("keys: generating a private key: %w", err)
	}
	return newPrivateKey(k)
}

// NewPrivateKey returns the private key whose 32 bytes are b, which it copies. The
// error for another length or for all zeroes wraps [ErrInvalidKey].
func NewPrivateKey(b []byte) (*PrivateKey, error) {
	if len(b) != PrivateKeySize {
		return nil, fmt.Errorf("%w: a private key has %d bytes, this has %d", ErrInvalidKey, PrivateKeySize, len(b))
	}
	if [PrivateKeySize]byte(b) == [PrivateKeySize]byte{} {
		return nil, fmt.Errorf("%w: a private key of all zeroes is a buffer that was never filled", ErrInvalidKey)
	}
	k, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidKey, err)
	}
	return newPrivateKey(k)
}

func newPrivateKey(k *ecdh.PrivateKey) (*PrivateKey, error) {
	public, err := NewPublicKey(k.PublicKey().Bytes())
	if err != nil {
		return nil, err
	}
	return &PrivateKey{key: k, public: public}, nil
}

// ParsePrivateKey reads the text form PYSOCK-SECRET-1…, as strictly as
// [ParsePublicKey] reads its own, in upper case. The error wraps [ErrInvalidKey] and
// never contains any of s.
func ParsePrivateKey(s string) (*PrivateKey, error) {
	switch upper := strings.ToUpper(s); {
	case strings.HasPrefix(upper, "PYSOCK1"):
		return nil, fmt.Errorf("%w: this is a public key; a private key starts with %s", ErrInvalidKey, secretStart)
	case !strings.HasPrefix(upper, secretStart):
		return nil, fmt.Errorf("%w: a private key starts with %s", ErrInvalidKey, secretStart)
	}
	b, err := bech32Decode(secretPrefix, s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; restore the private key from a copy", ErrInvalidKey, err)
	}
	return NewPrivateKey(b)
}

// Public returns the public key that belongs to k.
func (k *PrivateKey) Public() PublicKey { return k.public }

// ECDH returns the key for use with crypto/ecdh. It is the one k holds: making
// another would cost a multiplication.
func (k *PrivateKey) ECDH() *ecdh.PrivateKey { return k.key }

// Secret returns the private key in its text form PYSOCK-SECRET-1…. Whoever has it
// is this identity: it belongs in a file of mode 0600 and nowhere else.
func (k *PrivateKey) Secret() string { return bech32Encode(secretPrefix, k.key.Bytes()) }

// The methods below have value receivers so that they also hold for a PrivateKey
// that somebody dereferenced.

// String returns a fixed text without the key.
func (PrivateKey) String() string { return redacted }

// GoString returns a fixed text without the key.
func (PrivateKey) GoString() string { return redacted }

// Format writes a fixed text without the key, whatever the verb.
func (PrivateKey) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue returns a fixed text without the key.
func (PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText always returns an error.
func (PrivateKey) MarshalText() ([]byte, error) { return nil, errPrivateMarshal }

// MarshalJSON always returns an error.
func (PrivateKey) MarshalJSON() ([]byte, error) { return nil, errPrivateMarshal }

// MarshalYAML always returns an error.
func (PrivateKey) MarshalYAML() (any, error) { return nil, errPrivateMarshal }

// MarshalBinary always returns an error.
func (PrivateKey) MarshalBinary() ([]byte, error) { return nil, errPrivateMarshal }
