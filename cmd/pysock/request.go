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

` + exchangeUsage,
	run: runRequest,
}

func runRequest(e *env, args []string) error {
	x, err := parseExchange("request", args)
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	ctx, cancel := x.bound(ctx)
	defer cancel()
	c, conn, err := x.connect(ctx, e)
	if err != nil {
		return err
	}
	ask := func(text []byte) error {
		m, err := conn.RequestMessage(ctx, x.message(text))
		if err != nil {
			return x.answerError(ctx, err)
		}
		return printAnswer(e.stdout, m.Body)
	}
	if x.lines {
		if err = each(ctx, conn, readLines(ctx, e.stdin), ask); err != nil {
			err = sendError(ctx, x.who(), x.channel, err)
		}
	} else {
		err = ask([]byte(x.text))
	}
	_ = c.Close() // the answers are there
	return err
}

// answerError says that the answer was an error, or that there was none.
func (x *exchange) answerError(ctx context.Context, err error) error {
	var answer *channel.Error
	if ctx.Err() == nil && errors.As(err, &answer) && answer.Remote && answer.Code != channel.CodeNoHandler {
		text := ""
		if answer.Text != "" {
			text = ": " + strconv.Quote(answer.Text)
		}
		return fmt.Errorf("%s answered with the error %d, %v%s", x.who(), uint16(answer.Code), answer.Code, text)
	}
	return sendError(ctx, x.who(), x.channel, err)
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
