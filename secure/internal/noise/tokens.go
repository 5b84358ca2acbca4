package noise

import (
	"crypto/ecdh"
	"crypto/mlkem"
)

// message is what tokens act on: the bytes written so far, or those not yet
// read. One type for both, so that each token is written down once and its two
// directions cannot drift apart.
type message struct {
	write bool
	b     []byte
}

// exchange moves one field of size bytes over the wire and into the hash.
// Writing, value is sealed and appended; reading, value is ignored and what
// arrived is returned, which lies in the message if it was in the clear. sealed
// is false for e alone, which is never encrypted.
func (hs *HandshakeState) exchange(m *message, value []byte, size int, sealed bool) (_ []byte, err error) {
	switch {
	case m.write && sealed:
		m.b, err = hs.encryptAndHash(m.b, value)
		return value, err
	case m.write:
		m.b = append(m.b, value...)
		hs.mixHash(value)
		return value, nil
	}
	if sealed {
		size += hs.overhead()
	}
	if len(m.b) < size {
		return nil, ErrLength
	}
	field := m.b[:size]
	m.b = m.b[size:]
	if !sealed || hs.cipher == nil {
		hs.mixHash(field)
		return field, nil
	}
	return hs.decryptAndHash(nil, field)
}

// run performs one token on a message being written or read.
func (hs *HandshakeState) run(t token, m *message) error {
	switch t {
	case tokenE:
		return hs.runE(m)
	case tokenE1:
		return hs.runE1(m)
	case tokenS:
		return hs.runS(m)
	case tokenEKEM1:
		return hs.runEKEM1(m)
	default:
		return hs.runDH(t)
	}
}

func (hs *HandshakeState) runE(m *message) (err error) {
	var own []byte
	if m.write {
		if hs.e, err = hs.fixed.ephemeral(); err != nil {
			return err
		}
		own = hs.e.PublicKey().Bytes()
	}
	field, err := hs.exchange(m, own, KeySize, false)
	if err != nil || m.write {
		return err
	}
	hs.re, err = publicKey(field)
	return err
}

func (hs *HandshakeState) runE1(m *message) (err error) {
	var own []byte
	if m.write {
		if hs.e1, err = hs.fixed.kem(); err != nil {
			return err
		}
		own = hs.e1.EncapsulationKey().Bytes()
	}
	field, err := hs.exchange(m, own, mlkem.EncapsulationKeySize768, true)
	if err != nil || m.write {
		return err
	}
	// Parsing checks the modulus (FIPS 203 section 7.2).
	if hs.re1, err = mlkem.NewEncapsulationKey768(field); err != nil {
		return ErrPublicKey
	}
	return nil
}

func (hs *HandshakeState) runS(m *message) error {
	var own []byte
	if m.write {
		own = hs.s.PublicKey().Bytes()
	}
	field, err := hs.exchange(m, own, KeySize, true)
	if err != nil || m.write {
		return err
	}
	hs.rs, err = publicKey(field)
	return err
}

// runEKEM1 sends or takes the ciphertext under what came before, and only then
// mixes in the secret it carries: the order of the hfs extension.
func (hs *HandshakeState) runEKEM1(m *message) error {
	var shared, own []byte
	if m.write {
		shared, own = hs.fixed.encapsulate(hs.re1)
		hs.re1 = nil // several KiB, of no more use
	}
	field, err := hs.exchange(m, own, mlkem.CiphertextSize768, true)
	if err != nil {
		return err
	}
	if !m.write {
		// A wrong ciphertext gives a pseudorandom secret, and the next tag fails.
		if shared, err = hs.e1.Decapsulate(field); err != nil {
			return ErrLength
		}
		hs.e1 = nil
	}
	hs.mixKey(shared)
	clear(shared)
	return nil
}

// runDH mixes in a DH. The token names the initiator's key first, so the two
// roles pick opposite halves; reading and writing make no difference.
func (hs *HandshakeState) runDH(t token) error {
	private, public := hs.e, hs.re
	if t == tokenSE && hs.initiator || t == tokenES && !hs.initiator {
		private = hs.s
	}
	if t == tokenES && hs.initiator || t == tokenSE && !hs.initiator {
		public = hs.rs
	}
	shared, err := private.ECDH(public)
	if err != nil {
		return ErrPublicKey // crypto/ecdh refuses an all-zero result
	}
	hs.mixKey(shared)
	clear(shared)
	return nil
}

func publicKey(b []byte) (*ecdh.PublicKey, error) {
	k, err := ecdh.X25519().NewPublicKey(b)
	if err != nil {
		return nil, ErrPublicKey
	}
	return k, nil
}
