package channel

import (
	"context"
	"errors"
	"fmt"
)

// Encoding says how a message's body is to be read. It is a mark for the
// receiving application; nothing on the way looks into bodies.
type Encoding uint8

// The encodings of docs/protocol.md, section 8.
const (
	Raw  Encoding = 0 // bytes of the application's own making
	Text Encoding = 1 // UTF-8
	CBOR Encoding = 2 // one data item, RFC 8949: what typed channels send
)

// String gives the encoding's name.
func (e Encoding) String() string {
	switch e {
	case Raw:
		return "raw"
	case Text:
		return "text"
	case CBOR:
		return "cbor"
	}
	return "unknown encoding"
}

// A Message is what arrived on a channel, or is to be sent on one.
type Message struct {
	// Channel is the channel's name. The answer to a request has that of the request.
	Channel string

	// Body is what was sent, never more than the connection's largest message. Of a received
	// message it is the receiver's to keep and to change; of one that is sent it is only read, and
	// not kept.
	Body []byte

	// Encoding is the sender's mark. Nothing has checked that the body is what it says: Decode and Value do.
	Encoding Encoding

	// From is the authenticated sender of a received message, with the name and the groups that it
	// had when the message came. It is shared by messages of a connection: do not change it.
	From *Peer

	// Missed is how many messages of the channel are lost before a received one: the sender sent
	// them on an earlier connection, and was told that they may be lost, or it left them out as
	// this end did not keep up, as a server may choose to for what it sends to many. Of what
	// members send to a group only that counts which was left out on the same connection, with all
	// that a session resumes. What waited for a receiver whose session the server has ended, as too
	// slow for what it sends to many, is counted nowhere. It is 0 as a rule, for requests always,
	// and is not used of a message that is sent.
	Missed uint64

	// Group is the group that a received message was sent to, empty if it was sent to this end
	// alone. It is not used of a message that is sent. From is then the member who sent it, by the
	// server's word: From.Unverified is set.
	Group string

	answerer Answerer
}

// An Answerer carries the answer of a request back to who asked. It is
// implemented by connections, for NewRequest; applications call Message.Reply.
type Answerer interface {
	// Answer sends the one answer, waiting as Send does. A second answer is ErrAnswered.
	Answer(ctx context.Context, enc Encoding, body []byte) error

	// AnswerError sends an error as the one answer. It does not wait. A second answer is ErrAnswered.
	AnswerError(code Code, text string) error
}

// ErrNotRequest is returned by Reply on a message that asks for no answer.
var ErrNotRequest = errors.New("channel: the message is not a request")

// ErrAnswered is returned by Reply on a request that has been answered.
var ErrAnswered = errors.New("channel: the request has been answered")

// NewRequest marks m as a request whose answer goes to a. It is for
// implementations of Conn.
func NewRequest(m *Message, a Answerer) *Message {
	m.answerer = a
	return m
}

// IsRequest reports whether the sender waits for an answer.
func (m *Message) IsRequest() bool { return m.answerer != nil }

// Reply answers a request with raw bytes. It copies body. It waits for credit only if the answer is larger than
// the asker made room for, and stops at ctx's end, at the connection's, or when the asker gives up.
func (m *Message) Reply(ctx context.Context, body []byte) error {
	return m.ReplyMessage(ctx, Raw, body)
}

// ReplyMessage is Reply with another encoding mark than Raw. A mark that the protocol does not have is an *Error with
// CodeBadMessage, and no answer yet: the other end would take it for a broken connection.
func (m *Message) ReplyMessage(ctx context.Context, enc Encoding, body []byte) error {
	if m.answerer == nil {
		return ErrNotRequest
	}
	if enc > CBOR {
		return badMessage(fmt.Sprintf("%v %d", enc, uint8(enc)))
	}
	return m.answerer.Answer(ctx, enc, body)
}

// ReplyError answers a request with an error, which the asker gets as an *Error.
// A handler does the same by returning an error.
func (m *Message) ReplyError(code Code, text string) error {
	if m.answerer == nil {
		return ErrNotRequest
	}
	return m.answerer.AnswerError(code, text)
}
