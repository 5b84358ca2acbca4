package stranger

import "encoding/binary"

// A Token asks a server to go on with a session (section 17.2).
type Token struct {
	Anew     bool     // if there is no such session, a new one will do
	Session  [16]byte // its id
	Attempt  uint64   // higher than in every earlier token of the session
	Position uint64   // how many bytes of the server's stream have arrived
	Proof    [32]byte // HMAC over a hash of the handshake and the three before it
}

const (
	tokenSize   = 65
	resumeLabel = "pysock/v1 resume"
)

func (t *Token) encode() []byte {
	flags := byte(0)
	if t.Anew {
		flags = 1
	}
	b := append([]byte{flags}, t.Session[:]...)
	b = binary.BigEndian.AppendUint64(b, t.Attempt)
	b = binary.BigEndian.AppendUint64(b, t.Position)
	return append(b, t.Proof[:]...)
}

func decodeToken(b []byte) (t *Token, ok bool) {
	c := &cursor{rest: b}
	flags := c.u8()
	t = &Token{
		Anew: flags == 1, Session: [16]byte(c.take(16)), Attempt: c.u64(), Position: c.u64(),
		Proof: [32]byte(c.take(32)),
	}
	return t, flags <= 1 && t.Attempt > 0 && c.done()
}

// proof is what the client or the server says, by role, to show that it has the
// secret of the session. hash is h2 for the client and h for the server
// (section 4.4), of the handshake in which it is said.
func proof(secret []byte, role string, hash [32]byte, session [16]byte, attempt, position uint64) [32]byte {
	b := append([]byte(role), hash[:]...)
	b = append(b, session[:]...)
	b = binary.BigEndian.AppendUint64(b, attempt)
	b = binary.BigEndian.AppendUint64(b, position)
	return [32]byte(hmacSHA256(secret, b))
}
