package noise

// token is one step of a message pattern (Noise section 7.1, and the hfs
// extension for e1 and ekem1).
type token uint8

const (
	tokenE     token = iota // sender's ephemeral X25519 key, in the clear
	tokenE1                 // sender's ephemeral KEM encapsulation key
	tokenS                  // sender's static key
	tokenEE                 // DH of both ephemerals
	tokenES                 // DH of initiator's ephemeral, responder's static
	tokenSE                 // DH of initiator's static, responder's ephemeral
	tokenEKEM1              // KEM ciphertext to the other side's e1
)

// Suite is a full Noise protocol: its name, which is hashed first, and its
// message patterns, the initiator's first.
type Suite struct {
	name     string
	messages [][]token
}

// Name returns the protocol name that both sides hash.
func (s *Suite) Name() string { return s.name }

// XXhfs is what PySock speaks: XX with a post-quantum KEM beside the first DH.
var XXhfs = &Suite{
	name: "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256",
	messages: [][]token{
		{tokenE, tokenE1},
		{tokenE, tokenEE, tokenEKEM1, tokenS, tokenES},
		{tokenS, tokenSE},
	},
}

// XX is the classical pattern, kept to check this code against others'.
var XX = &Suite{
	name: "Noise_XX_25519_ChaChaPoly_SHA256",
	messages: [][]token{
		{tokenE},
		{tokenE, tokenEE, tokenS, tokenES},
		{tokenS, tokenSE},
	},
}
