package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/cmd/internal/cli"
)

var requestCommand = &command{
	name:  "request",
	brief: "ask and print the answer",
	usage: `Usage: pysock request --keys FILE --channel NAME [--to NAME] [FLAG...] TEXT
       pysock request --keys FILE --channel NAME [--to NAME] [FLAG...] -

Sends TEXT as a request and prints the answer's body, and a line's end behind it
if it is text. With "-" each line of standard input is a request, the next one
after the answer. On a terminal what does not print is shown as the escapes of a
Go string, such as \n, \x1b and \\.

A connection that is lost it replaces, and goes on where it was; a line on
standard error says so when that takes more than a second. If the server does
not have the session any more it fails: it does not ask twice.

` + exchangeUsage + interruptUsage,
	run: runRequest,
}

func runRequest(e *env, args []string) error {
	x, err := parseExchange("request", args)
	if err != nil {
		return err
	}
	ctx, now, stop := interruptible()
	defer stop()
	ctx, cancel := x.bound(ctx)
	defer cancel()
	conn, done, err := x.connect(ctx, e, &farewell{notes: e.stderr, now: now})
	if err != nil {
		return err
	}
	defer done() // the answers are there, or will not come
	ask := func(text []byte) error {
		m, err := conn.RequestMessage(ctx, x.message(text))
		if err != nil {
			return x.answerError(ctx, conn, err)
		}
		return printAnswer(e.stdout, m.Body)
	}
	if !x.lines {
		return ask([]byte(x.text))
	}
	answered := 0
	err = each(ctx, conn, readLines(ctx, e.stdin), func(text []byte) error {
		if err := ask(text); err != nil {
			return err
		}
		answered++
		return nil
	})
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w (lines that were answered: %d)", x.sendError(ctx, err), answered)
}

// answerError says that the answer was an error, or that there was none.
func (x *exchange) answerError(ctx context.Context, conn channel.Conn, err error) error {
	var answer *channel.Error
	var lost *channel.LostError
	answered := errors.As(err, &answer) && answer.Remote && !errors.As(err, &lost)
	if ctx.Err() == nil && answered && answer.Code != channel.CodeNoHandler {
		text := ""
		if answer.Text != "" {
			text = ": " + strconv.Quote(answer.Text)
		}
		return fmt.Errorf("%s answered with the error %d, %v%s", x.who(), uint16(answer.Code), answer.Code, text)
	}
	err = x.sendError(ctx, err)
	if !answered && ctx.Err() == nil && conn.Context().Err() != nil {
		err = fmt.Errorf("%w; whether the request was handled is not known", err)
	}
	return err
}

// printAnswer prints a body as it is, unless a terminal would obey it.
func printAnswer(out *os.File, body []byte) error {
	s := string(body)
	if term.IsTerminal(int(out.Fd())) {
		s = cli.Escape(body) + "\n"
	} else if utf8.Valid(body) {
		s += "\n"
	}
	if _, err := io.WriteString(out, s); err != nil {
		return writingError(err)
	}
	return nil
}
