package noise

import (
	"crypto/cipher"
	"encoding/binary"
	"math"

	"golang.org/x/crypto/chacha20poly1305"
)

// CipherState is one key and the counter of its nonces (Noise section 5.1).
// It is used in one direction only and by one goroutine at a time.
type CipherState struct {
	aead  cipher.AEAD
	n     uint64
	nonce [chacha20poly1305.NonceSize]byte // here so that no call allocates one
}

// NewCipherState starts a key at nonce 0.
func NewCipherState(key [KeySize]byte) *CipherState {
	c := &CipherState{}
	c.setKey(&key)
	return c
}

func (c *CipherState) setKey(key *[KeySize]byte) {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		panic("noise: " + err.Error()) // only a wrong key length, and the type rules that out
	}
	c.aead = aead
}

// Nonce returns the counter that the next Seal or Open will use.
func (c *CipherState) Nonce() uint64 { return c.n }

// Seal appends the sealed plaintext to dst and moves on to the next nonce.
// The plaintext may be sealed in place with dst = plaintext[:0], which
// overwrites it. The only error is ErrNonce.
func (c *CipherState) Seal(dst, ad, plaintext []byte) ([]byte, error) {
	if c.n == math.MaxUint64 {
		return nil, ErrNonce // the last nonce belongs to Rekey
	}
	out := c.aead.Seal(dst, c.setNonce(c.n), plaintext, ad)
	c.n++
	return out, nil
}

// Open appends the opened ciphertext to dst and moves on to the next nonce.
// ciphertext may be opened in place with dst = ciphertext[:0]. On ErrDecrypt
// the counter stays and what dst pointed to is undefined.
func (c *CipherState) Open(dst, ad, ciphertext []byte) ([]byte, error) {
	if c.n == math.MaxUint64 {
		return nil, ErrNonce
	}
	out, err := c.aead.Open(dst, c.setNonce(c.n), ciphertext, ad)
	if err != nil {
		return nil, ErrDecrypt
	}
	c.n++
	return out, nil
}

// Rekey replaces the key with REKEY(k) (Noise section 4.2): the first 32 bytes
// of 32 zeros sealed under the last nonce. The counter goes on.
func (c *CipherState) Rekey() {
	var zeros, key [KeySize]byte
	sealed := c.aead.Seal(nil, c.setNonce(math.MaxUint64), zeros[:], nil)
	copy(key[:], sealed)
	c.setKey(&key)
	clear(key[:])
	clear(sealed)
}

// setNonce encodes a counter as ChaChaPoly wants it: 4 zero bytes, then 64
// bits little-endian (Noise section 12.3).
func (c *CipherState) setNonce(n uint64) []byte {
	binary.LittleEndian.PutUint64(c.nonce[4:], n)
	return c.nonce[:]
}
