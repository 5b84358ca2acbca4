package resume

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/pysock/pysock/internal/wire"
)

// secretLabel is what the secret is exported with (docs/protocol.md, section 17.2).
const secretLabel = "pysock/v1 resume"

// HashSize is the length of a handshake's hash, in bytes.
const HashSize = 32

// Secret is what the two sides of a session share and nobody else has. It comes from the handshake
// that began the session and stays the same for all its connections, so that a token can be made
// only by who was there. It is not to be printed.
type Secret [32]byte

// NewSecret exports the secret from the connection that began the session, a *secure.Conn.
func NewSecret(exporter interface {
	Export(label string, n int) ([]byte, error)
}) (Secret, error) {
	var s Secret
	b, err := exporter.Export(secretLabel, len(s))
	copy(s[:], b)
	return s, err
}

// String says nothing of the secret.
func (s Secret) String() string { return "resume.Secret" }

// GoString says nothing of the secret.
func (s Secret) GoString() string { return s.String() }

// ClientProof is the proof of a token: that its sender has the secret, for this session, attempt and
// position only, and in one handshake only, of which hash is that before message 3
// (secure.Pending.HelloHash): otherwise somebody with both sides' keys could pass it on.
func (s *Secret) ClientProof(hash [HashSize]byte, session [wire.IDSize]byte, attempt,
	position uint64) [wire.ProofSize]byte {
	return s.proof("client", hash, session, attempt, position)
}

// ServerProof is the proof of a welcome that takes a session up, for the attempt of the token and the
// server's own position. hash is that of the whole handshake (secure.Conn.HandshakeHash).
func (s *Secret) ServerProof(hash [HashSize]byte, session [wire.IDSize]byte, attempt,
	position uint64) [wire.ProofSize]byte {
	return s.proof("server", hash, session, attempt, position)
}

func (s *Secret) proof(side string, hash [HashSize]byte, session [wire.IDSize]byte, attempt,
	position uint64) (p [wire.ProofSize]byte) {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte(side))
	mac.Write(hash[:])
	mac.Write(session[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, attempt))
	mac.Write(binary.BigEndian.AppendUint64(nil, position))
	mac.Sum(p[:0])
	return p
}

// Equal compares proofs in a time that does not depend on them.
func Equal(a, b [wire.ProofSize]byte) bool { return hmac.Equal(a[:], b[:]) }
