package stranger

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"errors"
)

// suite is the handshake of section 4.2.
const suite = "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256"

const (
	kemKeySize    = 1184
	kemSealedSize = 1088
)

var patterns = map[string][][]string{
	"Noise_XX_25519_ChaChaPoly_SHA256": {{"e"}, {"e", "ee", "s", "es"}, {"s", "se"}},
	suite:                              {{"e", "e1"}, {"e", "ee", "ekem1", "s", "es"}, {"s", "se"}},
}

// handshakeKeys are the keys of one end. Those that are nil are made at random;
// vectors give them.
type handshakeKeys struct {
	static      *ecdh.PrivateKey
	ephemeral   *ecdh.PrivateKey
	kem         *mlkem.DecapsulationKey768
	encapsulate func(*mlkem.EncapsulationKey768) (secret, sealed []byte)
}

// A handshake is Noise's HandshakeState with the tokens e1 and ekem1.
type handshake struct {
	*symmetricState
	handshakeKeys
	initiator  bool
	peerStatic *ecdh.PublicKey
	peerEph    *ecdh.PublicKey
	peerKEM    *mlkem.EncapsulationKey768
	messages   [][]string // those left
}

func newHandshake(protocol string, initiator bool, keys handshakeKeys, prologue []byte) *handshake {
	h := &handshake{
		symmetricState: newSymmetricState(protocol), handshakeKeys: keys,
		initiator: initiator, messages: patterns[protocol],
	}
	h.mixHash(prologue)
	if h.ephemeral == nil {
		h.ephemeral, _ = ecdh.X25519().GenerateKey(rand.Reader)
	}
	if h.kem == nil {
		h.kem, _ = mlkem.GenerateKey768()
	}
	if h.encapsulate == nil {
		h.encapsulate = (*mlkem.EncapsulationKey768).Encapsulate
	}
	return h
}

// write makes the next message.
func (h *handshake) write(payload []byte) ([]byte, error) {
	var out []byte
	tokens := h.messages[0]
	h.messages = h.messages[1:]
	for _, t := range tokens {
		switch t {
		case "e":
			out = append(out, h.ephemeral.PublicKey().Bytes()...)
			h.mixHash(h.ephemeral.PublicKey().Bytes())
		case "s":
			out = append(out, h.encryptAndHash(h.static.PublicKey().Bytes())...)
		case "e1":
			out = append(out, h.encryptAndHash(h.kem.EncapsulationKey().Bytes())...)
		case "ekem1":
			secret, sealed := h.encapsulate(h.peerKEM)
			out = append(out, h.encryptAndHash(sealed)...)
			h.mixKey(secret)
		default:
			if err := h.dh(t); err != nil {
				return nil, err
			}
		}
	}
	return append(out, h.encryptAndHash(payload)...), nil
}

// read takes the next message apart.
func (h *handshake) read(message []byte) (payload []byte, err error) {
	tokens := h.messages[0]
	h.messages = h.messages[1:]
	for _, t := range tokens {
		if err := h.readToken(t, &message); err != nil {
			return nil, err
		}
	}
	return h.decryptAndHash(message)
}

func (h *handshake) readToken(token string, message *[]byte) error {
	take := func(n int) ([]byte, error) {
		if len(*message) < n {
			return nil, errors.New("stranger: a handshake message is too short")
		}
		part := (*message)[:n]
		*message = (*message)[n:]
		return part, nil
	}
	takeSealed := func(n int) ([]byte, error) {
		part, err := take(n + h.overhead())
		if err != nil {
			return nil, err
		}
		return h.decryptAndHash(part)
	}
	switch token {
	case "e":
		part, err := take(32)
		if err != nil {
			return err
		}
		h.mixHash(part)
		h.peerEph, err = ecdh.X25519().NewPublicKey(part)
		return err
	case "s":
		part, err := takeSealed(32)
		if err != nil {
			return err
		}
		if bytes.Equal(part, h.static.PublicKey().Bytes()) {
			return errors.New("stranger: the peer has this end's key")
		}
		h.peerStatic, err = ecdh.X25519().NewPublicKey(part)
		return err
	case "e1":
		part, err := takeSealed(kemKeySize)
		if err != nil {
			return err
		}
		h.peerKEM, err = mlkem.NewEncapsulationKey768(part)
		return err
	case "ekem1":
		part, err := takeSealed(kemSealedSize)
		if err != nil {
			return err
		}
		secret, err := h.kem.Decapsulate(part)
		if err != nil {
			return err
		}
		h.mixKey(secret)
		return nil
	}
	return h.dh(token)
}

// dh does ee, es or se: the first letter is the initiator's key. The ECDH
// method refuses a result of all zeros.
func (h *handshake) dh(token string) error {
	mine, theirs := token[0], token[1]
	if !h.initiator {
		mine, theirs = theirs, mine
	}
	private, public := h.ephemeral, h.peerEph
	if mine == 's' {
		private = h.static
	}
	if theirs == 's' {
		public = h.peerStatic
	}
	secret, err := private.ECDH(public)
	if err != nil {
		return err
	}
	h.mixKey(secret)
	return nil
}
