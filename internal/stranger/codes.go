package stranger

// Error codes of section 14 that this package says itself.
const (
	codeClosed       = 0
	codeProtocol     = 1
	codeShutdown     = 3
	codeReplaced     = 4
	codeKicked       = 5
	codeLimit        = 6
	codeTimeout      = 7
	codeCanceled     = 8
	codeUnknownKey   = 9
	codeNameTaken    = 10
	codeBadName      = 11
	codeUnknownPeer  = 12
	codeNotConnected = 13
	codeRefused      = 14
	codeBusy         = 15
	codeGone         = 16
	codeNoHandler    = 17
	codeNoListener   = 18
	codeTooLarge     = 19
	codeRevoked      = 22
	codeNoSession    = 23
)
