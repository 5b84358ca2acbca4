package main

import (
	"context"
	"fmt"

	"github.com/pysock/pysock/channel"
)

var sendCommand = &command{
	name:  "send",
	brief: "send a text, or the lines of standard input",
	usage: `Usage: pysock send --keys FILE --channel NAME [--to NAME] [FLAG...] TEXT
       pysock send --keys FILE --channel NAME [--to NAME] [FLAG...] -

Sends TEXT, or with "-" each line of standard input (without its \n or \r\n), as
one message. Exit status 0 means that the other side's application has taken
everything; after a failure of "-" the error says how many lines are known to
have been taken. What the other side sends meanwhile is dropped: pysock listen
shows it, pysock request waits for an answer.

` + exchangeUsage,
	run: runSend,
}

func runSend(e *env, args []string) error {
	x, err := parseExchange("send", args)
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
	if x.lines {
		err = x.sendLines(ctx, conn, readLines(ctx, e.stdin))
	} else {
		if err = conn.SendMessage(ctx, x.message([]byte(x.text))); err == nil {
			err = conn.Flush(ctx)
		}
		if err != nil {
			err = sendError(ctx, x.who(), x.channel, err)
		}
	}
	_ = c.Close() // what was taken is taken, and an error is told already
	return err
}

// sendLines sends lines until there are no more, and waits until all are taken.
func (x *exchange) sendLines(outer context.Context, conn channel.Conn, lines <-chan line) error {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	t := &tally{}
	more := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() { // stops when all that was sent has been taken and more is closed, or with ctx
		defer close(done)
		if err := t.follow(ctx, conn, more); err != nil {
			cancel(err)
		}
	}()
	err := each(ctx, conn, lines, func(text []byte) error {
		if err := conn.SendMessage(ctx, x.message(text)); err != nil {
			return err
		}
		t.sent.Add(1)
		select {
		case more <- struct{}{}:
		default: // it is awake already
		}
		return nil
	})
	if err != nil {
		cancel(err)
	}
	close(more)
	<-done
	if err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	err = sendError(outer, x.who(), x.channel, err)
	return fmt.Errorf("%w (%d of %d lines are known to have been taken)", err, t.taken.Load(), t.sent.Load())
}
