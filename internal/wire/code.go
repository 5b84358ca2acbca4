package wire

// Error codes of REFUSE, RESET, STOP, CLOSE, ERROR answers and refusals
// (docs/protocol.md, section 14). Codes from CodeApplication on are the
// application's own; unknown ones are passed on as they are.
const (
	CodeClosed       uint16 = 0   // orderly, nothing wrong
	CodeProtocol     uint16 = 1   // the other side broke the protocol
	CodeInternal     uint16 = 2   // a fault of the side that says it
	CodeShutdown     uint16 = 3   // the server goes down
	CodeReplaced     uint16 = 4   // a newer session of the same key took over; final
	CodeKicked       uint16 = 5   // ended by the server's application or operator
	CodeLimit        uint16 = 6   // a limit was reached
	CodeTimeout      uint16 = 7   // it took too long
	CodeCanceled     uint16 = 8   // given up by the side that asked
	CodeUnknownKey   uint16 = 9   // this key is not accepted here
	CodeNameTaken    uint16 = 10  // the name belongs to another key
	CodeBadName      uint16 = 11  // the name is not allowed
	CodeUnknownPeer  uint16 = 12  // no such name
	CodeNotConnected uint16 = 13  // the name is known, its client is not connected
	CodeRefused      uint16 = 14  // policy, or the other client, says no
	CodeBusy         uint16 = 15  // too many are waiting already
	CodeGone         uint16 = 16  // the other end's session ended
	CodeNoHandler    uint16 = 17  // nobody handles this channel
	CodeNoListener   uint16 = 18  // nobody listens for this stream
	CodeTooLarge     uint16 = 19  // larger than the receiver allows
	CodeBadMessage   uint16 = 20  // the body is not what the handler expects
	CodeFailed       uint16 = 21  // the handler returned an error; the text says which
	CodeRevoked      uint16 = 22  // the key was removed from the server's list
	CodeNoSession    uint16 = 23  // there is no such session to resume
	CodeApplication  uint16 = 256 // the first of the application's own
)
