// Package noise is the pure state machine of PySock's handshake: the Noise
// Protocol Framework, revision 34, with the hybrid-forward-secrecy extension.
// It does no I/O and knows nothing of records or sessions.
//
// Two suites run on it. XXhfs is the one in use; XX is here because published
// vectors and other implementations exist for it, and both share every line
// except the two KEM tokens.
//
//	-> e, e1                      1216 bytes plus payload
//	<- e, ee, ekem1, s, es        1200 bytes plus payload
//	-> s, se                        64 bytes plus payload
//
// Each side makes a [HandshakeState] and calls [HandshakeState.WriteMessage]
// and [HandshakeState.ReadMessage] in turn; after the last message
// [HandshakeState.Split] gives the transport keys. Whatever fails, fails for
// good: a handshake that once returned an error returns nothing else again.
package noise

import "errors"

// Sizes in bytes that the suites fix.
const (
	KeySize  = 32 // an X25519 key, and a cipher key
	HashSize = 32 // SHA-256: handshake hash and chaining key
	TagSize  = 16 // what ChaCha20-Poly1305 adds

	// MaxMessageSize bounds every Noise message (Noise section 3).
	MaxMessageSize = 65535
)

// What a caller can tell apart. All are final for the handshake.
var (
	// ErrState is returned for a call out of turn: writing when it is time to
	// read, anything after a failure, anything after Split, Split too early.
	ErrState = errors.New("noise: call out of turn")
	// ErrLength is returned for a message that is too short or too long.
	ErrLength = errors.New("noise: message of a wrong length")
	// ErrDecrypt is returned when authentication of a ciphertext fails.
	ErrDecrypt = errors.New("noise: message failed authentication")
	// ErrPublicKey is returned for a public key that is not valid or that
	// makes the result of a key exchange predictable (all zero).
	ErrPublicKey = errors.New("noise: invalid public key")
	// ErrNonce is returned when a key has been used 2^64-1 times.
	ErrNonce = errors.New("noise: nonces are used up")
)
