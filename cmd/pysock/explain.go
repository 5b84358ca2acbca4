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

// dialError says in one line why there is no session, and what to do. If there are several
// addresses it has the reason of each.
func dialError(ctx context.Context, addresses []string, f *keys.File, err error) error {
	last := addresses[len(addresses)-1]
	var all *client.DialError
	switch {
	case len(addresses) == 1 || ctx.Err() != nil:
		return explainDial(ctx, "the server at "+strconv.Quote(last), last, f, err)
	case !errors.As(err, &all):
		return explainDial(ctx, "the server", last, f, err) // its word, for which others are not tried
	}
	reasons := make([]string, len(all.Attempts))
	for i, attempt := range all.Attempts {
		reasons[i] = attemptReason(attempt.Address, attempt.Err)
		if reasons[i] == "" {
			reasons[i] = explainDial(ctx, "the server at "+strconv.Quote(attempt.Address), attempt.Address, f,
				attempt.Err).Error()
		}
	}
	return fmt.Errorf("none of the server's addresses will do: %s; start it there, or give its address with --server", strings.Join(reasons, "; "))
}

func explainDial(ctx context.Context, at, address string, f *keys.File, err error) error {
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
		return fmt.Errorf("%s does not know this key: %s", at, letIn(f))
	case errors.As(err, &refused):
		return withAdvice(err, refused.Code, f)
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

// shellPath is shellWord for a path.
func shellPath(path string) string {
	if parts := strings.Split(path, string(filepath.Separator)); !slices.ContainsFunc(parts,
		func(s string) bool { return s != "" && shellWord(s) != s }) {
		return path
	}
	return shellWord(path)
}

// pipeError says why there is no pipe, and what to do.
func (x *exchange) pipeError(ctx context.Context, c *client.Client, err error) error {
	var e *channel.Error
	coded := errors.As(err, &e)
	if ctx.Err() != nil {
		return fmt.Errorf("connecting to %q: %w%s", x.to, ended(ctx), x.whyLate(ctx, c, err))
	}
	if !coded {
		return lostError("the server", x.several, err)
	}
	switch {
	case e.Code == channel.CodeNotConnected && x.command == "send":
		return fmt.Errorf("%q is not connected to the server: pysock listen connects it; if it was connected it may be coming back, and --again waits for it", x.to)
	case e.Code == channel.CodeNotConnected:
		return fmt.Errorf("%q is not connected to the server: pysock listen connects it; if it was connected it may be coming back: try again", x.to)
	case e.Code == channel.CodeTimeout && !e.Remote && x.command == "send":
		return fmt.Errorf("%q does not answer: it may have lost its connection; try again, or --again waits for it",
			x.to)
	case e.Code == channel.CodeTimeout && !e.Remote:
		return fmt.Errorf("%q does not answer: it may have lost its connection; try again", x.to)
	case e.Code == channel.CodeBusy && x.command == "send":
		return fmt.Errorf("%q takes no further pipe at the moment (%v): try again when it is there, or --again waits for it",
			x.to, e)
	case e.Code == channel.CodeBusy:
		return fmt.Errorf("%q takes no further pipe at the moment (%v): try again when it is there", x.to, e)
	case e.Code == channel.CodeUnknownPeer && e.Remote:
		return fmt.Errorf("the server knows nobody called %q: check the name", x.to)
	case e.Code == channel.CodeRefused && e.Remote && e.Text == "", e.Code == channel.CodeUnknownKey:
		return fmt.Errorf("%q does not accept pipes from us: its owner allows them with: pysock trust add --keys FILE %s %s (and starts again)", x.to, shellWord(c.Name()), c.Key())
	}
	return err
}

// whyLate says in brackets what may have kept a pipe from being opened in time.
func (x *exchange) whyLate(ctx context.Context, c *client.Client, err error) string {
	switch {
	case errors.Is(ended(ctx), errInterrupted):
		return ""
	case c.State().Phase != client.Online:
		return " (our connection to the server is lost)"
	case errors.Is(err, channel.CodeNotConnected):
		return fmt.Sprintf(" (%q is not connected to the server: pysock listen connects it)", x.to)
	}
	return fmt.Sprintf(" (%q may have lost its connection)", x.to)
}
