package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/pysock/pysock/channel"
)

// ErrSessionLost is what errors.Is finds in what a call returns because a session has ended that
// another follows: the server was killed, restarted, drained or closed, or could not be reached for
// too long. It is there beside the *channel.CloseError with what the server said, or the
// *channel.LostError. Calls on streams and pipes return it, too, if it was this client's session,
// and State.Err has it. It is not in the end of the client that a server means to be final, such as
// CodeReplaced or CodeRevoked.
//
// If the session could not be resumed a *SessionLostError says why. With Config.NoReconnect no
// session follows, and it is the end of the client and its pipes: then Run and Receive return it.
// The cause of the Context has it only if the connection was lost first; of a server that said
// goodbye that is the *channel.CloseError alone.
var ErrSessionLost = errors.New("the session is lost")

// sessionEnd is why a session has ended, said so that errors.Is finds ErrSessionLost.
type sessionEnd struct{ err error }

func (e *sessionEnd) Error() string        { return e.err.Error() }
func (e *sessionEnd) Is(target error) bool { return target == ErrSessionLost }
func (e *sessionEnd) Unwrap() error        { return e.err }

// sessionLost is err, which a session's link has ended with, such that ErrSessionLost is found in
// it unless the server does not want us back. It stays the *channel.GapError or *channel.LostError
// that it was: a pipe that the session carried ends with what is in that.
func sessionLost(err error) error {
	if err == nil || errors.Is(err, ErrSessionLost) {
		return err
	}
	switch e := err.(type) {
	case *channel.GapError:
		own := *e
		own.Err = sessionLost(e.Err)
		return &own
	case *channel.LostError:
		switch {
		case e.Err == nil:
			return &channel.LostError{Err: ErrSessionLost}
		case finalForClient(e.Err):
			return e // no other follows
		}
		return &channel.LostError{Err: &sessionEnd{e.Err}}
	case *channel.CloseError:
		if !ofSession.refuses(e.Code) {
			return &sessionEnd{e}
		}
	}
	return err
}

// A SessionLostError says why a session could not be resumed. errors.Is finds ErrSessionLost in it,
// and errors.As what Err has.
type SessionLostError struct {
	// Grace is how long the server keeps a session, if it could not be reached for that long. It is
	// 0 if it could be reached, and has not kept the session.
	Grace time.Duration

	// Err is what went wrong with the last attempt. Text in it that came from outside is quoted.
	Err error
}

// Error says why in one line.
func (e *SessionLostError) Error() string {
	if e.Grace > 0 {
		return fmt.Sprintf("the server could not be reached for as long as it keeps a session, which is %v: %v",
			e.Grace, e.Err)
	}
	return fmt.Sprintf("the server has not kept the session: %v", e.Err)
}

// Is reports whether target is ErrSessionLost.
func (e *SessionLostError) Is(target error) bool { return target == ErrSessionLost }

// Unwrap gives Err.
func (e *SessionLostError) Unwrap() error { return e.Err }

// errNewSession says why the session is not there: another is.
var errNewSession = errors.New("it began a new one")

// closedByPeer is the reason that the other side ended a link with, nil if the link was lost. A
// lost pipe may have been lost because the hop or the stream below was closed: that is not the
// peer's word.
func closedByPeer(err error) *channel.CloseError {
	var lost *channel.LostError
	var closed *channel.CloseError
	if errors.As(err, &lost) || !errors.As(err, &closed) {
		return nil
	}
	return closed
}

// endOfPipes is the end of the client as that of a pipe that it carried: for the pipe it is a loss,
// and not the peer's word. Numbers in it are those of messages to the server.
func endOfPipes(err error) error {
	var gap *channel.GapError
	if errors.As(err, &gap) {
		err = gap.Err
	}
	err = sessionLost(err)
	var lost *channel.LostError
	switch {
	case err == channel.ErrClosed:
		return err
	case errors.As(err, &lost):
		return lost
	}
	return &channel.LostError{Err: err}
}
