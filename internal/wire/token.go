package wire

import "encoding/binary"

// Token is a client's claim to a session that it wants to go on with
// (docs/protocol.md, section 17.2).
type Token struct {
	// Anew says that a new session will do if there is no such session.
	Anew bool
	// Session is the id that the server gave to the session.
	Session [IDSize]byte
	// Attempt is higher than that of every earlier token for the session, and at least 1.
	Attempt uint64
	// Position is how many bytes of the server's stream have arrived.
	Position uint64
	// Proof shows that the client has the session's secret.
	Proof [ProofSize]byte
}

const tokenAnew = 0x01

func (t *Token) append(b []byte) []byte {
	var flags byte
	if t.Anew {
		flags = tokenAnew
	}
	b = append(b, flags)
	b = append(b, t.Session[:]...)
	b = binary.BigEndian.AppendUint64(b, t.Attempt)
	b = binary.BigEndian.AppendUint64(b, t.Position)
	return append(b, t.Proof[:]...)
}

// parseToken leaves it to the hello's check what else a token must keep to, and to
// r whether it was all there.
func parseToken(r *reader) (*Token, string) {
	flags := r.uint8()
	t := &Token{Anew: flags&tokenAnew != 0}
	copy(t.Session[:], r.bytes(IDSize))
	t.Attempt, t.Position = r.uint64(), r.uint64()
	copy(t.Proof[:], r.bytes(ProofSize))
	if flags&^tokenAnew != 0 {
		return nil, "undefined flags of the token are set"
	}
	return t, ""
}
