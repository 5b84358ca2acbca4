package noise

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// symmetricState is the hash of all that was said and the key that follows
// from it (Noise section 5.2).
type symmetricState struct {
	ck     [HashSize]byte
	h      [HashSize]byte
	cipher *CipherState // nil until the first mixKey
}

func newSymmetricState(protocol string) symmetricState {
	var s symmetricState
	if len(protocol) <= HashSize {
		copy(s.h[:], protocol)
	} else {
		s.h = sha256.Sum256([]byte(protocol))
	}
	s.ck = s.h
	return s
}

func (s *symmetricState) mixHash(data []byte) {
	h := sha256.New()
	h.Write(s.h[:])
	h.Write(data)
	h.Sum(s.h[:0])
}

// mixKey is Noise's HKDF with two outputs, which is RFC 5869 with the chaining
// key as salt and no info.
func (s *symmetricState) mixKey(ikm []byte) {
	k := s.hkdf2(ikm, &s.ck)
	s.cipher = NewCipherState(k)
	clear(k[:])
}

func (s *symmetricState) hkdf2(ikm []byte, first *[HashSize]byte) (second [HashSize]byte) {
	out, err := hkdf.Key(sha256.New, ikm, s.ck[:], "", 2*HashSize)
	if err != nil {
		panic("noise: " + err.Error()) // only for more than 255 blocks of output
	}
	copy(first[:], out)
	copy(second[:], out[HashSize:])
	clear(out)
	return second
}

// encryptAndHash appends plaintext to dst, sealed as soon as there is a key.
func (s *symmetricState) encryptAndHash(dst, plaintext []byte) ([]byte, error) {
	start := len(dst)
	if s.cipher == nil {
		dst = append(dst, plaintext...)
	} else {
		var err error
		if dst, err = s.cipher.Seal(dst, s.h[:], plaintext); err != nil {
			return nil, err
		}
	}
	s.mixHash(dst[start:])
	return dst, nil
}

// decryptAndHash appends what data holds to dst. data is left as it was.
func (s *symmetricState) decryptAndHash(dst, data []byte) ([]byte, error) {
	if s.cipher == nil {
		dst = append(dst, data...)
	} else {
		var err error
		if dst, err = s.cipher.Open(dst, s.h[:], data); err != nil {
			return nil, err
		}
	}
	s.mixHash(data)
	return dst, nil
}

// overhead is what encryptAndHash adds at this point.
func (s *symmetricState) overhead() int {
	if s.cipher == nil {
		return 0
	}
	return TagSize
}

// split derives the two transport keys; the first is the initiator's to send.
func (s *symmetricState) split() (initiator, responder *CipherState) {
	var k1 [HashSize]byte
	k2 := s.hkdf2(nil, &k1)
	initiator, responder = NewCipherState(k1), NewCipherState(k2)
	clear(k1[:])
	clear(k2[:])
	return initiator, responder
}
