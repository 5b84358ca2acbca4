package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/cmd/internal/cli"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

// allowGroups lets all clients join groups, leave them and send to them.
func allowGroups(srv *server.Server) {
	srv.AllowGroups = func(channel.Peer, []string) error { return nil }
	srv.AllowLeave = func(channel.Peer, string) error { return nil }
	srv.AllowGroupSend = func(channel.Peer, string, *channel.Message) error { return nil }
}

// checkGroup checks what was given with send.
func (x *exchange) checkGroup() error {
	switch {
	case x.group == "":
		return nil
	case x.to != "":
		return usagef("--group and --to do not go together")
	case x.again:
		return usagef("--again does not go with --group: what is sent to a group is not sent again")
	}
	if err := keys.CheckName(x.group); err != nil {
		return usagef("--group: %w", err)
	}
	return nil
}

// sendToGroup sends the text or the lines to a group, each when the server has passed on the one before.
func (x *exchange) sendToGroup(ctx context.Context, e *env, c *client.Client) error {
	if !x.lines {
		return x.groupError(ctx, x.passOn(ctx, e.stderr, c, []byte(x.text)))
	}
	passed := 0
	err := each(ctx, c, readLines(ctx, e.stdin), func(text []byte) error {
		err := x.passOn(ctx, e.stderr, c, text)
		if err == nil {
			passed++
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w (lines that have reached somebody: %d)", x.groupError(ctx, err), passed)
	}
	return nil
}

// errReachedNobody is a report that names nobody.
var errReachedNobody = errors.New("it has reached nobody")

// passOn sends a message to the group, and tells people if it has not reached all. That it has
// reached nobody is an error.
func (x *exchange) passOn(ctx context.Context, notes io.Writer, c *client.Client, body []byte) error {
	report, err := c.Group(x.group).SendMessage(ctx, x.message(body))
	if err != nil {
		return err
	}
	return tellReport(notes, report)
}

func tellReport(notes io.Writer, report channel.Report) error {
	missed := report.Err()
	switch {
	case report.Reached == 0 && missed == nil:
		return errReachedNobody
	case report.Reached == 0:
		return missed
	case missed != nil:
		fmt.Fprintln(notes, cli.OneLine(missed))
	}
	return nil
}

// groupError says why a message has reached nobody, as far as that is known.
func (x *exchange) groupError(ctx context.Context, err error) error {
	var unreached *channel.UnreachedError
	var said *channel.Error
	switch {
	case err == nil || errors.As(err, &unreached): // which has errors in it that are about others
		return err
	case ctx.Err() != nil || !errors.As(err, &said):
		return x.sendError(ctx, err)
	}
	switch said.Code {
	case channel.CodeUnknownPeer:
		return fmt.Errorf("nobody else is in the group %q: pysock listen --group joins it", x.group)
	case channel.CodeRefused:
		return fmt.Errorf("the server does not let us send to the group %q: ask its operator, who lets everybody with pysock serve --groups", x.group)
	case channel.CodeNoHandler:
		return errors.New("the server passes nothing on to groups: it is older than that")
	}
	return x.sendError(ctx, err)
}
