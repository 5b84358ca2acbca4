package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// sendError says why something was not sent, asked or taken.
func (x *exchange) sendError(ctx context.Context, err error) error {
	who, name := x.who(), x.channel
	var remote *channel.Error
	var lost *channel.LostError
	var closed *channel.CloseError
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.Is(err, client.ErrOffline):
		return fmt.Errorf("there is no connection to %s at the moment: try again", who)
	case errors.As(err, &remote) && remote.Code == channel.CodeNoHandler:
		return fmt.Errorf("%s takes nothing on the channel %q: check its name", who, name)
	case errors.As(err, &lost) && errors.As(lost.Err, &closed) && closed.Code == channel.CodeGone:
		return fmt.Errorf("%s is gone: its connection to the server has ended", who)
	case errors.As(err, &lost) && closed != nil:
		return closeError("the server", closed) // and with it the pipe
	case errors.As(err, &closed):
		return closeError(who, closed)
	}
	return lostError(who, x.several, err)
}

// lostError says that the connection has ended and nobody closed it. Other errors are as they were.
// several says that the server has more than one address.
func lostError(who string, several bool, err error) error {
	var lost *channel.LostError
	var session *client.SessionLostError
	var changed *keys.ChangedKeyError
	switch {
	case !errors.As(err, &lost):
		return err
	case errors.As(err, &changed):
		return changed
	case lost.Err == nil:
		return fmt.Errorf("the connection to %s was lost", who)
	case errors.As(lost.Err, &session) && session.Grace > 0:
		return fmt.Errorf("the server could not be reached for %s, as long as it keeps a session", span(session.Grace))
	case session != nil && several:
		return errors.New("the server has lost our session: it was started again, or we were away for too long, or another server answers at another of its addresses")
	case session != nil:
		return errors.New("the server has lost our session: it was started again, or we were away for too long")
	}
	if reason := networkReason(lost.Err); reason != "" {
		return fmt.Errorf("the connection to %s was lost (%s)", who, reason)
	}
	return fmt.Errorf("the connection to %s was lost: %w", who, lost.Err)
}

// networkReason says in a few words how the network has lost a connection, "" if it was not that.
func networkReason(err error) string {
	var truncated *secure.TruncatedError
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return "" // the last of many attempts
	case errors.As(err, &truncated):
		return "it ended without a goodbye"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it was reset"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing is heard from the server"
	}
	return ""
}

// lossReason says in a few words why a connection was lost that may come back.
func lossReason(err error) string {
	var closed *channel.CloseError
	var lost *channel.LostError
	switch {
	case err == nil:
		return "it ended"
	case errors.As(err, &closed):
		return closeReason(closed)
	case errors.As(err, &lost) && lost.Err != nil:
		err = lost.Err
	}
	if reason := networkReason(err); reason != "" {
		return reason
	}
	return err.Error()
}

// attemptReason says in a few words why an attempt to connect again has failed, "" if it was not an attempt.
func attemptReason(address string, err error) string {
	var op *net.OpError
	var dns *net.DNSError
	var refused *channel.Error
	switch {
	case errors.As(err, &refused) && refused.Remote:
		return fmt.Sprintf("%q refuses: %v", address, refused.Code)
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %q does not resolve", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing answers at %q", address)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return fmt.Sprintf("there is no way to %q", address)
	case errors.As(err, &op) && op.Op == "dial", errors.Is(err, secure.ErrTimeout):
		return fmt.Sprintf("%q does not answer", address)
	}
	return ""
}

// closeError says that the other end closed the connection, and why.
func closeError(who string, closed *channel.CloseError) error {
	if closed.Code == channel.CodeClosed && closed.Text == "" {
		return fmt.Errorf("%s closed the connection", who)
	}
	return fmt.Errorf("%s closed the connection: %s", who, closeReason(closed))
}

func closeReason(closed *channel.CloseError) string {
	if closed.Text == "" {
		return closed.Code.Error()
	}
	return closed.Code.Error() + ": " + strconv.Quote(closed.Text)
}

// withAdvice adds what to do about a server's word that ends a session or keeps one from beginning.
func withAdvice(err error, code channel.Code, f *keys.File) error {
	switch code {
	case channel.CodeReplaced:
		return fmt.Errorf("%w; one of a key is connected at a time: stop one of the two, or give each a key of its own", err)
	case channel.CodeKicked:
		return fmt.Errorf("%w; ask its operator why, and start it again", err)
	case channel.CodeRevoked:
		return fmt.Errorf("%w; %s", err, letIn(f))
	case channel.CodeNameTaken:
		return fmt.Errorf("%w; choose another name (name: in the key file)", err)
	}
	return err
}

// letIn is what the operator of a server does for the owner of a key.
func letIn(f *keys.File) string {
	return fmt.Sprintf("its operator lets it in with: pysock trust add --keys server.yaml %s %s", shellWord(f.Name),
		f.Public)
}

// lostSession reports whether a connection has ended because its session with the server is lost: another would go on.
func lostSession(conn channel.Conn) bool {
	err := context.Cause(conn.Context())
	var lost *channel.LostError
	var closed *channel.CloseError
	var refused *channel.Error
	switch {
	case errors.As(err, &closed): // also of a pipe: by the server
		switch closed.Code {
		case channel.CodeShutdown, channel.CodeLimit, channel.CodeTimeout, channel.CodeBusy, channel.CodeGone:
			return true
		}
		return false
	case errors.Is(err, client.ErrSessionLost):
		return true
	case errors.As(err, &refused):
		return false
	}
	return errors.As(err, &lost)
}
