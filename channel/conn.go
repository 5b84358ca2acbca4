package channel

import (
	"context"
	"net"
)

// A Conn is one end of an encrypted connection: what a client has of its
// server, a server of each session, and two clients of the pipe between them.
// *client.Client, *client.Pipe and *server.Session are Conns, so code written
// for one works for all.
//
// All methods may be called by several goroutines at once. Calls that wait
// stop at the end of their ctx, whose cause (context.Cause) they return, or of the connection; a call that need not
// wait succeeds even if its ctx is done already.
//
// What became of messages only those are told who send them, or who ask how it ended: Send,
// SendMessage, SendAcked, Flush, Close and CloseWithReason may return a *GapError, and the cause of
// the Context may be one, which Run of a client or a pipe returns. Request, RequestMessage,
// OpenStream, Receive and all others return why the connection ended without it, and nothing is
// told through them.
type Conn interface {
	// Peer says who the other end is. Its key does not change during a connection's life. The name and the groups of
	// a server's session may; a pipe keeps what it was opened with.
	Peer() Peer

	// Context is done when the connection is; context.Cause says why: ErrClosed,
	// a *CloseError or a *LostError, or a *GapError with one of these in it if messages may be lost.
	Context() context.Context

	// Send queues body for the channel, as raw bytes. It copies body. It waits only while the
	// receiver's credit for the channel is used up, or while too much is queued for the connection
	// already. When Send returns nil the message arrives once and in order with the channel's
	// others, or a later call (the next Send on the channel, Flush, Close, or whatever ends the
	// connection) says with a *GapError that it may not have. That the other end does not handle
	// the channel, and so has taken nothing of what was sent there, only the next Send on it and
	// Flush say; see Flush. A Send that returns an error has sent nothing, with a *GapError too:
	// that is about earlier messages, and the next Send goes on.
	Send(ctx context.Context, channel string, body []byte) error

	// SendMessage is Send for a message with another encoding mark than Raw. It uses m's
	// Channel, Body and Encoding.
	SendMessage(ctx context.Context, m *Message) error

	// Flush waits until the application at the other end has taken every message sent
	// before: its handler started, or its receive call returned. It returns the refusal of a channel that
	// the other end does not handle, as an *Error with CodeNoHandler.
	Flush(ctx context.Context) error

	// SendAcked is Send, and then waits until the application at the other end has taken this
	// message. Of a channel that the other end does not handle it returns what Flush does. With
	// another error, ctx's cause among them, the message may have been taken all the same, or it is
	// queued and still arrives: as with client.ErrOffline, when the connection is back. Only with a
	// *GapError that is not Counted it was not sent.
	SendAcked(ctx context.Context, channel string, body []byte) error

	// Request sends body as raw bytes and waits for the one answer. The error is an *Error if the other end
	// answered with one. When ctx ends, the handler's ctx at the other end ends too.
	Request(ctx context.Context, channel string, body []byte) (*Message, error)

	// RequestMessage is Request for a message with another encoding mark than Raw.
	RequestMessage(ctx context.Context, m *Message) (*Message, error)

	// OpenStream opens a byte stream to whoever listens for name at the other end. It waits until that end
	// has accepted; the error is an *Error with CodeNoListener or CodeBusy if it does not. The stream may outlive ctx.
	OpenStream(ctx context.Context, name string) (net.Conn, error)

	// Close sends what Send accepted, says goodbye and ends the connection. It waits for the network
	// at most 5 s, as long as that if it is down and may come back, and not for the other
	// application: call Flush first if that matters.
	//
	// It returns nil if the other end has answered: then all that was sent has arrived there.
	// Whether its application takes it Close does not say, nor that it does not handle a channel,
	// nor that the other end was closing the connection itself at that moment and takes no more. If
	// nothing answers, because the network is down, say, Close returns a *GapError with a
	// *LostError in it: messages that are not known to have been taken may have arrived or not. If
	// there are none it returns nil, or a *LostError if something else could not be written. A
	// *GapError comes also if messages were lost earlier and nobody has been told.
	//
	// It returns nil also when it is called again, or when the other end had closed with CodeClosed
	// and nothing was lost, and otherwise why the connection had ended.
	Close() error

	// CloseWithReason is Close with a code and a text that the other end sees as a *CloseError.
	// More than 255 bytes of text are cut off.
	CloseWithReason(code Code, text string) error
}
