package noise

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"errors"
)

// Config is what one side brings to a handshake.
type Config struct {
	Suite     *Suite           // which pattern and functions
	Initiator bool             // writes the first message
	Prologue  []byte           // hashed by both; not kept
	Static    *ecdh.PrivateKey // X25519

	// Fixed replaces the random choices. It exists for test vectors; a
	// handshake made with it has no secrecy whatever.
	Fixed *Fixed
}

// Fixed is the randomness of one side, decided in advance. Fields that the
// side does not use may be nil.
type Fixed struct {
	// Ephemeral is e.
	Ephemeral *ecdh.PrivateKey
	// KEM is e1, of the initiator.
	KEM *mlkem.DecapsulationKey768
	// Encapsulate stands in for the responder's encapsulation.
	Encapsulate func(*mlkem.EncapsulationKey768) (shared, ciphertext []byte)
}

// HandshakeState is one side of a running handshake (Noise section 5.3).
// It is for one goroutine at a time.
type HandshakeState struct {
	symmetricState
	suite     *Suite
	initiator bool
	next      int // index of the next message; dead once over or failed
	fixed     *Fixed

	s, e   *ecdh.PrivateKey
	rs, re *ecdh.PublicKey
	e1     *mlkem.DecapsulationKey768 // ours, or
	re1    *mlkem.EncapsulationKey768 // theirs: only one side sends e1
}

const dead = -1

// New starts a handshake. It fails only for a static key that is not X25519.
func New(cfg Config) (*HandshakeState, error) {
	if cfg.Static == nil || cfg.Static.Curve() != ecdh.X25519() {
		return nil, errors.New("noise: the static key must be an X25519 key")
	}
	hs := &HandshakeState{
		symmetricState: newSymmetricState(cfg.Suite.name),
		suite:          cfg.Suite,
		initiator:      cfg.Initiator,
		fixed:          cfg.Fixed,
		s:              cfg.Static,
	}
	if hs.fixed == nil {
		hs.fixed = &Fixed{}
	}
	hs.mixHash(cfg.Prologue)
	return hs, nil
}

// WriteMessage appends the next message, carrying payload, to dst. It does not
// keep either slice. Payloads of message 1 go in the clear.
func (hs *HandshakeState) WriteMessage(dst, payload []byte) ([]byte, error) {
	if !hs.turn(true) {
		return nil, hs.fail(ErrState)
	}
	start := len(dst)
	m := &message{write: true, b: dst}
	for _, t := range hs.suite.messages[hs.next] {
		if err := hs.run(t, m); err != nil {
			return nil, hs.fail(err)
		}
	}
	if len(m.b)-start+len(payload)+hs.overhead() > MaxMessageSize {
		return nil, hs.fail(ErrLength)
	}
	out, err := hs.encryptAndHash(m.b, payload)
	if err != nil {
		return nil, hs.fail(err)
	}
	hs.next++
	return out, nil
}

// ReadMessage takes in the next message and appends its payload to dst.
// The message is left as it was and not kept.
func (hs *HandshakeState) ReadMessage(dst, msg []byte) ([]byte, error) {
	if !hs.turn(false) {
		return nil, hs.fail(ErrState)
	}
	if len(msg) > MaxMessageSize {
		return nil, hs.fail(ErrLength)
	}
	m := &message{b: msg}
	for _, t := range hs.suite.messages[hs.next] {
		if err := hs.run(t, m); err != nil {
			return nil, hs.fail(err)
		}
	}
	if len(m.b) < hs.overhead() {
		return nil, hs.fail(ErrLength)
	}
	payload, err := hs.decryptAndHash(dst, m.b)
	if err != nil {
		return nil, hs.fail(err)
	}
	hs.next++
	return payload, nil
}

// PeerStatic returns the other side's static key, nil before the message that
// carries it was read. That it is proven is known after the message that
// carries its DH: message 2 of XX for the responder's, 3 for the initiator's.
func (hs *HandshakeState) PeerStatic() *ecdh.PublicKey { return hs.rs }

// Hash is the hash of all that was said so far. After a message that was
// written or read without an error it is the same on both sides, and no other
// handshake has it. It is not secret.
func (hs *HandshakeState) Hash() [HashSize]byte { return hs.h }

// Result is what a finished handshake leaves.
type Result struct {
	Send, Recv *CipherState // of the two directions, from this side
	// Hash is the same on both sides and nowhere else. It is not secret.
	Hash     [HashSize]byte
	exporter []byte
}

// Split ends the handshake. It fails with ErrState unless all messages were
// exchanged, and the second time.
func (hs *HandshakeState) Split() (*Result, error) {
	if hs.next != len(hs.suite.messages) {
		return nil, hs.fail(ErrState)
	}
	r := &Result{Hash: hs.h, exporter: exporter(hs.ck)}
	c1, c2 := hs.split()
	if hs.initiator {
		r.Send, r.Recv = c1, c2
	} else {
		r.Send, r.Recv = c2, c1
	}
	hs.fail(nil)
	return r, nil
}

// turn reports whether it is time to write (or read).
func (hs *HandshakeState) turn(write bool) bool {
	if hs.next == dead || hs.next >= len(hs.suite.messages) {
		return false
	}
	return (hs.next%2 == 0) == (hs.initiator == write)
}

// fail ends the handshake for good and drops what is secret. Wiping in Go is
// best effort; dropping the references is what can be had.
func (hs *HandshakeState) fail(err error) error {
	hs.next = dead
	clear(hs.ck[:])
	hs.cipher, hs.e, hs.re, hs.e1, hs.re1 = nil, nil, nil, nil, nil
	return err
}

func (f *Fixed) ephemeral() (*ecdh.PrivateKey, error) {
	if f.Ephemeral != nil {
		return f.Ephemeral, nil
	}
	return ecdh.X25519().GenerateKey(rand.Reader)
}

func (f *Fixed) kem() (*mlkem.DecapsulationKey768, error) {
	if f.KEM != nil {
		return f.KEM, nil
	}
	return mlkem.GenerateKey768()
}

func (f *Fixed) encapsulate(ek *mlkem.EncapsulationKey768) (shared, ciphertext []byte) {
	if f.Encapsulate != nil {
		return f.Encapsulate(ek)
	}
	return ek.Encapsulate()
}
