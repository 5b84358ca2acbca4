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
	// Code says what it is, for programs. One that this version does not know is kept as it came.
	Code Code

	// Text is for people, and may be empty. If Remote is set it came from outside, at most 255
	// bytes: Error quotes it, and so should whoever prints it alone.
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
	// Code is the reason for programs, CodeClosed if there is nothing to say.
	Code Code

	// Text is the reason for people, and may be empty. It comes from outside, at most 255 bytes: Error quotes it.
	Text string
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
	// Err is what was seen of it, nil if nothing was.
	Err error
}

// Error says that the connection was lost, and what was seen of it.
func (e *LostError) Error() string {
	if e.Err == nil {
		return "the connection was lost"
	}
	return "the connection was lost: " + e.Err.Error()
}

// Unwrap gives what was seen.
func (e *LostError) Unwrap() error { return e.Err }

// reason quotes text from outside: it could hold what a terminal obeys or a second line for a log.
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
