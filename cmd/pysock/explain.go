package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// dialError says in one line why there is no session, and what to do.
func dialError(ctx context.Context, address string, f *keys.File, err error) error {
	at := "the server at " + strconv.Quote(address)
	var changed *keys.ChangedKeyError
	var dns *net.DNSError
	var refused *channel.Error
	var truncated *secure.TruncatedError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("connecting to %s: %w", at, ended(ctx))
	case errors.As(err, &changed):
		return changed
	case errors.As(err, &dns):
		return fmt.Errorf("the name %q does not resolve (%s): check the server's address", dns.Name, dns.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing answers at %q: start the server there, or give its address with --server", address)
	case errors.Is(err, secure.ErrNotPySock):
		return fmt.Errorf("what answers at %q is not a PySock server: check the address", address)
	case errors.Is(err, client.ErrUnknownServer):
		return fmt.Errorf("nothing says which key the server should have: add it with: pysock trust add --keys %s --address %s server pysock1…, or give --trust-on-first-use",
			shellPath(f.Path), shellWord(address))
	case errors.As(err, &truncated):
		return fmt.Errorf("%s ended the connection during the handshake: is it a PySock server?", at)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s did not finish the handshake in time: is it a PySock server?", at)
	case errors.As(err, &refused) && refused.Code == channel.CodeUnknownKey:
		return fmt.Errorf("%s does not know this key: its operator lets it in with: pysock trust add --keys server.yaml %s %s", at, shellWord(f.Name), f.Public)
	case errors.As(err, &refused) && refused.Code == channel.CodeNameTaken:
		return fmt.Errorf("%w; choose another name (name: in the key file)", err)
	}
	return err
}

// shellWord quotes a name for a command that people may copy. Names may hold what a shell obeys.
func shellWord(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		// What would steer the terminal that shows the command. Shells know the escapes of Go in quotes of this kind.
		q := strconv.Quote(s)
		return "$'" + strings.ReplaceAll(q[1:len(q)-1], "'", `\'`) + "'"
	}
	plain := func(r rune) bool {
		return r > 127 || r == '.' || r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	if s != "" && !strings.HasPrefix(s, "-") && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// ended says why ctx did.
func ended(ctx context.Context) error {
	var late *lateError
	if errors.As(context.Cause(ctx), &late) {
		return late
	}
	return errInterrupted
}

// lateError is the end of the time that a command gives itself.
type lateError struct{ within string }

func (e *lateError) Error() string {
	return "not done within " + e.within + "; --timeout gives it more time"
}

// sendError says why something was not sent, asked or taken. who is the other end for people.
func sendError(ctx context.Context, who, name string, err error) error {
	var remote *channel.Error
	var lost *channel.LostError
	var closed *channel.CloseError
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.As(err, &remote) && remote.Code == channel.CodeNoHandler:
		return fmt.Errorf("%s takes nothing on the channel %q: check its name", who, name)
	case errors.As(err, &lost) && errors.As(lost.Err, &closed) && closed.Code == channel.CodeGone:
		return fmt.Errorf("%s is gone: its connection to the server has ended", who)
	case errors.As(err, &lost) && closed != nil:
		return closeError("the server", closed) // and with it the pipe
	case errors.As(err, &closed):
		return closeError(who, closed)
	}
	return lostError(who, err)
}

// lostError says that the connection has ended and nobody closed it. Other errors are as they were.
func lostError(who string, err error) error {
	var lost *channel.LostError
	var truncated *secure.TruncatedError
	switch {
	case !errors.As(err, &lost):
		return err
	case errors.As(lost.Err, &truncated):
		return fmt.Errorf("the connection to %s was lost (it ended without a goodbye)", who)
	case errors.Is(lost.Err, syscall.ECONNRESET), errors.Is(lost.Err, syscall.EPIPE):
		return fmt.Errorf("the connection to %s was lost (it was reset)", who)
	case lost.Err == nil:
		return fmt.Errorf("the connection to %s was lost", who)
	}
	return fmt.Errorf("the connection to %s was lost: %w", who, lost.Err)
}

// closeError says that the other end closed the connection, and why.
func closeError(who string, closed *channel.CloseError) error {
	reason := closed.Code.Error()
	if closed.Text != "" {
		reason += ": " + strconv.Quote(closed.Text)
	}
	if closed.Code == channel.CodeClosed && closed.Text == "" {
		return fmt.Errorf("%s closed the connection", who)
	}
	return fmt.Errorf("%s closed the connection: %s", who, reason)
}

// shellPath is shellWord for a path.
func shellPath(path string) string {
	if parts := strings.Split(path, string(filepath.Separator)); !slices.ContainsFunc(parts, func(s string) bool { return s != "" && shellWord(s) != s }) {
		return path
	}
	return shellWord(path)
}

// pipeError says why there is no pipe, and what to do.
func pipeError(ctx context.Context, to string, c *client.Client, err error) error {
	var e *channel.Error
	if ctx.Err() != nil {
		return fmt.Errorf("connecting to %q: %w", to, ended(ctx))
	}
	if !errors.As(err, &e) {
		return lostError("the server", err)
	}
	switch {
	case e.Code == channel.CodeNotConnected:
		return fmt.Errorf("%q is not connected to the server: pysock listen connects it", to)
	case e.Code == channel.CodeUnknownPeer && e.Remote:
		return fmt.Errorf("the server knows nobody called %q: check the name", to)
	case e.Code == channel.CodeRefused && e.Remote && e.Text == "", e.Code == channel.CodeUnknownKey:
		return fmt.Errorf("%q does not accept pipes from us: its owner allows them with: pysock trust add --keys FILE %s %s (and starts again)", to, shellWord(c.Name()), c.Key())
	}
	return err
}
