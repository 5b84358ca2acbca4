package stranger

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"

	"golang.org/x/crypto/chacha20poly1305"
)

// A cipherState is Noise's CipherState (revision 34, section 5.1).
type cipherState struct {
	key [32]byte
	n   uint64
	of  cipher.AEAD // for key, made when it is needed
}

func (c *cipherState) aead() cipher.AEAD {
	if c.of == nil {
		var err error
		if c.of, err = chacha20poly1305.New(c.key[:]); err != nil {
			panic(err) // the key has 32 bytes
		}
	}
	return c.of
}

// nonce is 4 zero bytes and the counter, little-endian.
func nonce(n uint64) []byte {
	var b [12]byte
	binary.LittleEndian.PutUint64(b[4:], n)
	return b[:]
}

func (c *cipherState) encrypt(ad, plain []byte) []byte {
	out := c.aead().Seal(nil, nonce(c.n), plain, ad)
	c.n++
	return out
}

func (c *cipherState) decrypt(ad, sealed []byte) ([]byte, error) {
	out, err := c.aead().Open(nil, nonce(c.n), sealed, ad)
	if err != nil {
		return nil, errors.New("stranger: authentication failed")
	}
	c.n++
	return out, nil
}

// rekey is Noise's REKEY(k); the counter goes on.
func (c *cipherState) rekey() {
	copy(c.key[:], c.aead().Seal(nil, nonce(math.MaxUint64), make([]byte, 32), nil)[:32])
	c.of = nil
}

// A symmetricState is Noise's SymmetricState (section 5.2).
type symmetricState struct {
	ck, h  [32]byte
	cipher *cipherState // nil before the first MixKey
}

func newSymmetricState(protocol string) *symmetricState {
	s := &symmetricState{}
	if len(protocol) <= 32 {
		copy(s.h[:], protocol)
	} else {
		s.h = sha256.Sum256([]byte(protocol))
	}
	s.ck = s.h
	return s
}

func (s *symmetricState) mixHash(data []byte) {
	s.h = sha256.Sum256(append(append([]byte{}, s.h[:]...), data...))
}

func (s *symmetricState) mixKey(ikm []byte) {
	var k [32]byte
	s.ck, k = noiseHKDF(s.ck, ikm)
	s.cipher = &cipherState{key: k}
}

func (s *symmetricState) encryptAndHash(plain []byte) []byte {
	out := plain
	if s.cipher != nil {
		out = s.cipher.encrypt(s.h[:], plain)
	}
	s.mixHash(out)
	return out
}

func (s *symmetricState) decryptAndHash(sealed []byte) ([]byte, error) {
	out := sealed
	if s.cipher != nil {
		var err error
		if out, err = s.cipher.decrypt(s.h[:], sealed); err != nil {
			return nil, err
		}
	}
	s.mixHash(sealed)
	return out, nil
}

// overhead is what encryptAndHash adds.
func (s *symmetricState) overhead() int {
	if s.cipher == nil {
		return 0
	}
	return 16
}

func (s *symmetricState) split() (initiator, responder *cipherState) {
	k1, k2 := noiseHKDF(s.ck, nil)
	return &cipherState{key: k1}, &cipherState{key: k2}
}

// export is section 4.4.
func (s *symmetricState) export(label string, length int) []byte {
	prk := hmacSHA256(nil, s.ck[:])
	info := append([]byte(label), s.h[:]...)
	var out, t []byte
	for i := byte(1); len(out) < length; i++ {
		t = hmacSHA256(prk, append(append(append([]byte{}, t...), info...), i))
		out = append(out, t...)
	}
	return out[:length]
}

func hmacSHA256(key, data []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(data)
	return m.Sum(nil)
}

// noiseHKDF is Noise's HKDF with two outputs (section 4.3).
func noiseHKDF(ck [32]byte, ikm []byte) (a, b [32]byte) {
	temp := hmacSHA256(ck[:], ikm)
	copy(a[:], hmacSHA256(temp, []byte{1}))
	copy(b[:], hmacSHA256(temp, append(a[:], 2)))
	return a, b
}
