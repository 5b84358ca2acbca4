package link

import (
	"errors"
	"fmt"
	"io"

	"github.com/pysock/pysock/channel"
)

// protocolError is a breach of docs/protocol.md by the other side.
type protocolError struct{ what string }

func (e *protocolError) Error() string { return "protocol error: " + e.what }

func violated(format string, args ...any) error {
	return &protocolError{what: fmt.Sprintf(format, args...)}
}

// lostError is the end of a connection that nobody closed in an orderly way.
func lostError(err error) error {
	// A pipe's stream has ended with the link below, which may have said so already, and may have a gap of its own.
	var gap *channel.GapError
	if errors.As(err, &gap) {
		err = gap.Err
	}
	var lost *channel.LostError
	if errors.As(err, &lost) {
		return lost
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &channel.LostError{Err: err}
}
