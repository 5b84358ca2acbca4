package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// keepAlive finds a server that is gone during the handshake, and one that cannot resume; else the
// layer that resumes does.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}

// Dial connects to the server at the address HOST:PORT, or those of the key file if it is empty,
// and returns when the server has let the client in. It tries each address, Config.Addresses among
// them, once, until one lets it in or refuses it for good. A connection that is lost later the
// client replaces by itself; see the package's documentation.
//
// Errors to act on: a *channel.Error with the server's code if it refused (CodeUnknownKey,
// CodeNameTaken, …), a *keys.ChangedKeyError if the server has another key than it should,
// ErrUnknownServer if nothing says which key it should have, and those of package secure, of the
// network and of ctx. If there are several addresses and none worked it is a *DialError with the
// errors of all, in which errors.Is and errors.As find these; but one that says that the server
// does not want this client is returned as it is, whatever the others said.
func Dial(ctx context.Context, address string, cfg *Config) (*Client, error) {
	return dial(ctx, address, cfg, systemClock())
}

func dial(ctx context.Context, address string, cfg *Config, now clock) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	own := cfg.withDefaults()
	d, err := newDialer(address, &own)
	if err != nil {
		return nil, err
	}
	conn, w, err := d.first(ctx)
	if err != nil {
		return nil, err
	}
	return newClient(conn, w, d, now)
}

// first tries each address once.
func (d *dialer) first(ctx context.Context) (conn *secure.Conn, w wire.Welcome, err error) {
	try := d.tryInTime
	if len(d.addresses) == 1 {
		try = d.tryNext // ctx says how long connecting may take
	}
	var failed DialError
	for range d.addresses {
		address := d.address()
		if conn, w, err = try(ctx, nil); err == nil || finalForClient(err) {
			return conn, w, err
		}
		failed.Attempts = append(failed.Attempts, DialAttempt{Address: address, Err: err})
		if ctx.Err() != nil {
			break
		}
	}
	if len(failed.Attempts) > 1 {
		err = &failed
	}
	return nil, wire.Welcome{}, err
}

// A DialError is why Dial has failed at each of several addresses. errors.Is and errors.As look
// into all of them, from the first.
type DialError struct {
	// Attempts are those that were made, in their order: fewer than there are addresses if Dial's
	// ctx ended before. There are two at least.
	Attempts []DialAttempt
}

// A DialAttempt is one that has failed.
type DialAttempt struct {
	Address string // HOST:PORT, as it was given
	Err     error  // why it did not work; text in it that came from outside is quoted
}

// Error gives the reason of each address in one line.
func (e *DialError) Error() string {
	var b strings.Builder
	b.WriteString("no address of the server has worked")
	for i, a := range e.Attempts {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%q: %v", sep, a.Address, a.Err)
	}
	return b.String()
}

// Unwrap gives the errors of all.
func (e *DialError) Unwrap() []error {
	errs := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		errs[i] = a.Err
	}
	return errs
}

// dialError says what went wrong, in terms of this package.
func dialError(address string, err error) error {
	var refused *secure.RefusedError
	var changed *keys.ChangedKeyError
	var cut *secure.TruncatedError
	switch {
	case errors.As(err, &cut):
		return &handshakeError{address, "ended the connection during the handshake: it may be overloaded", err}
	case errors.Is(err, secure.ErrTimeout):
		return &handshakeError{address, "did not finish the handshake in time", err}
	case errors.As(err, &refused):
		return fmt.Errorf("the server at %q refused the connection: %w", address,
			&channel.Error{Code: channel.Code(refused.Code), Text: refused.Text, Remote: true})
	case errors.As(err, &changed):
		return changed
	}
	return fmt.Errorf("the server at %q: %w", address, err)
}

// handshakeError says in its own words what package secure has said less clearly.
type handshakeError struct {
	address, what string
	err           error
}

func (e *handshakeError) Error() string { return fmt.Sprintf("the server at %q %s", e.address, e.what) }
func (e *handshakeError) Unwrap() error { return e.err }

func (c *Config) maxMessage() uint32 {
	if c.MaxMessage == 0 {
		return wire.DefaultMaxMessage
	}
	return uint32(min(max(c.MaxMessage, wire.MinMaxMessage)+wire.MessageOverhead, wire.MaxMaxMessage))
}
