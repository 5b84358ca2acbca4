package channel

import (
	"fmt"
	"net"
)

// ErrClosed is the end of a connection that this side closed. It is
// net.ErrClosed to errors.Is.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string        { return "the connection is closed" }
func (closedError) Is(target error) bool { return target == net.ErrClosed }

// An Error is a refusal or a failure with a code. errors.Is(err,
// channel.CodeBusy) asks for the code.
type Error struct {
	Code Code

	// Text is for people. If Remote is set it came from outside; Error quotes it.
	Text string

	// Remote is set if the other end (or the server, for a pipe) said it, and not this one.
	Remote bool
}

// Error gives the code's meaning, and the text: as it is if it is this program's, quoted if it came from outside.
func (e *Error) Error() string { return reason(e.Code, e.Text, e.Remote) }

// Unwrap gives the code.
func (e *Error) Unwrap() error { return e.Code }

// A CloseError is the end of a connection that the other end closed, and
// its reason.
type CloseError struct {
	Code Code
	Text string // from outside; Error quotes it
}

// Error says that the other side closed the connection, and why.
func (e *CloseError) Error() string {
	if e.Code == CodeClosed && e.Text == "" {
		return "the other side closed the connection"
	}
	return "the other side closed the connection: " + reason(e.Code, e.Text, true)
}

// Unwrap gives the code.
func (e *CloseError) Unwrap() error { return e.Code }

// A LostError is the end of a connection that nobody closed: the network failed, the other process died,
// or the other side broke the protocol. What was sent and not flushed may or may not have arrived.
type LostError struct {
	Err error // what was seen of it
}

// Error says that the connection was lost, and what was seen of it.
func (e *LostError) Error() string { return "the connection was lost: " + e.Err.Error() }

// Unwrap gives what was seen.
func (e *LostError) Unwrap() error { return e.Err }

func reason(code Code, text string, quote bool) string {
	switch {
	case text == "":
		return code.Error()
	case quote:
		return fmt.Sprintf("%v: %q", code, text)
	default:
		return fmt.Sprintf("%v: %s", code, text)
	}
}
