package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/pysock/pysock/channel"
)

// ErrSessionLost is what errors.Is finds in the end of a session that could not be resumed; a *SessionLostError says why. With Config.NoReconnect it is
// the end of the client and of its pipes too, in a *channel.LostError.
var ErrSessionLost = errors.New("the session is lost")

// A SessionLostError says why a session could not be resumed. errors.Is finds ErrSessionLost in it, and errors.As what Err has.
type SessionLostError struct {
	// Grace is how long the server keeps a session, if it could not be reached for that long. It is 0 if it could be reached, and has not kept the session.
	Grace time.Duration

	// Err is what went wrong with the last attempt. Text in it that came from outside is quoted.
	Err error
}

// Error says why in one line.
func (e *SessionLostError) Error() string {
	if e.Grace > 0 {
		return fmt.Sprintf("the server could not be reached for as long as it keeps a session, which is %v: %v", e.Grace, e.Err)
	}
	return fmt.Sprintf("the server has not kept the session: %v", e.Err)
}

// Is reports whether target is ErrSessionLost.
func (e *SessionLostError) Is(target error) bool { return target == ErrSessionLost }

// Unwrap gives Err.
func (e *SessionLostError) Unwrap() error { return e.Err }

// errNewSession says why the session is not there: another is.
var errNewSession = errors.New("it began a new one")

// closedByPeer is the reason that the other side ended a link with, nil if the link was lost. A lost pipe may have been lost because the hop or the stream below was closed: that is not
// the peer's word.
func closedByPeer(err error) *channel.CloseError {
	var lost *channel.LostError
	var closed *channel.CloseError
	if errors.As(err, &lost) || !errors.As(err, &closed) {
		return nil
	}
	return closed
}

// endOfPipes is the end of the client as that of a pipe that it carried: for the pipe it is a loss, and not the peer's word. Numbers in it are those of messages to the server.
func endOfPipes(err error) error {
	var gap *channel.GapError
	if errors.As(err, &gap) {
		err = gap.Err
	}
	var lost *channel.LostError
	switch {
	case err == channel.ErrClosed:
		return err
	case errors.As(err, &lost):
		return lost
	}
	return &channel.LostError{Err: err}
}
