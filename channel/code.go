package channel

import "fmt"

// A Code says why something was refused, failed or ended: docs/protocol.md,
// section 14. A Code is an error, so that errors.Is(err, channel.CodeBusy) asks
// for the reason behind any error of this module. A handler may return one, to answer with no text.
// Applications use [CodeApplication] and up for codes of their own.
type Code uint16

// The codes of docs/protocol.md, section 14.
const (
	CodeClosed       Code = 0  // orderly, nothing wrong
	CodeProtocol     Code = 1  // the other side broke the protocol
	CodeInternal     Code = 2  // a fault of the side that says it, such as a handler's panic
	CodeShutdown     Code = 3  // the server goes down
	CodeReplaced     Code = 4  // a newer session of the same key took over
	CodeKicked       Code = 5  // ended by the server's application or operator
	CodeLimit        Code = 6  // a limit was reached
	CodeTimeout      Code = 7  // it took too long
	CodeCanceled     Code = 8  // given up by the side that asked
	CodeUnknownKey   Code = 9  // this key is not accepted here
	CodeNameTaken    Code = 10 // the name belongs to another key
	CodeBadName      Code = 11 // the name is not allowed
	CodeUnknownPeer  Code = 12 // no such name
	CodeNotConnected Code = 13 // the name is known, its client is not connected
	CodeRefused      Code = 14 // policy, or the other client, says no
	CodeBusy         Code = 15 // too many are waiting already
	CodeGone         Code = 16 // the other end's session ended
	CodeNoHandler    Code = 17 // nobody handles this channel
	CodeNoListener   Code = 18 // nobody listens for this stream
	CodeTooLarge     Code = 19 // the message is larger than the receiver allows
	CodeBadMessage   Code = 20 // the body is not what the handler expects
	CodeFailed       Code = 21 // the handler returned an error
	CodeRevoked      Code = 22 // the key was removed from the server's list
	CodeNoSession    Code = 23 // there is no such session to resume

	// CodeApplication is the first code that the protocol leaves to applications.
	CodeApplication Code = 256
)

var codeTexts = [...]string{
	CodeClosed:       "closed",
	CodeProtocol:     "protocol error",
	CodeInternal:     "internal error",
	CodeShutdown:     "the server is shutting down",
	CodeReplaced:     "replaced by a newer session of the same key",
	CodeKicked:       "ended by the server",
	CodeLimit:        "a limit was reached",
	CodeTimeout:      "timed out",
	CodeCanceled:     "canceled",
	CodeUnknownKey:   "the key is not accepted",
	CodeNameTaken:    "the name belongs to another key",
	CodeBadName:      "the name is not allowed",
	CodeUnknownPeer:  "no such peer",
	CodeNotConnected: "the peer is not connected",
	CodeRefused:      "refused",
	CodeBusy:         "busy",
	CodeGone:         "the peer is gone",
	CodeNoHandler:    "nobody handles the channel",
	CodeNoListener:   "nobody listens for the stream",
	CodeTooLarge:     "the message is too large",
	CodeBadMessage:   "bad message",
	CodeFailed:       "the handler failed",
	CodeRevoked:      "the key was removed from the server's list",
	CodeNoSession:    "there is no such session to resume",
}

// Error gives the code's meaning in a few words.
func (c Code) Error() string {
	if int(c) < len(codeTexts) {
		return codeTexts[c]
	}
	return fmt.Sprintf("code %d", uint16(c))
}
