package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pysock/pysock/channel"
)

var sendCommand = &command{
	name:  "send",
	brief: "send a text, or the lines of standard input",
	usage: `Usage: pysock send --keys FILE --channel NAME [--to NAME | --group NAME]
                   [FLAG...] TEXT
       pysock send --keys FILE --channel NAME [--to NAME | --group NAME]
                   [FLAG...] -

Sends TEXT, or with "-" each line of standard input (without its \n or \r\n), as
one message. Exit status 0 means that the other side's application has taken
everything; after a failure or an interrupt the error says how many of the lines
that were sent are known to have been taken, or whether TEXT is. The application
may have taken more, and never less. What the other side sends meanwhile is
dropped: pysock listen shows it, pysock request waits for an answer.

A connection that is lost it replaces, and goes on where it was, with nothing
lost and nothing twice; a line on standard error says so when that takes more
than a second. It fails if the server does not have the session any more, as
after a restart, or cannot be reached for as long as it keeps one, unless:

    --again               connect again as often as it takes, or --timeout
                          allows, also when the server or the receiver were
                          started again, and send what is not known to have been
                          taken again. A receiver that was started again may get
                          that twice; one that was not gets it once. The first
                          connection is tried once all the same; a NAME that is
                          not connected, or does not answer, is waited for
    --group NAME          to all others in the group NAME, through the server,
                          which can read it; in place of --to, and without
                          --again. Exit status 0 means then that the server has
                          passed everything on, which says nothing of what the
                          applications take: that one takes nothing on the
                          channel is known from the next message on. Whom a
                          message did not reach is told on standard error; one
                          that reaches nobody is a failure
` + exchangeUsage + interruptUsage,
	run: runSend,
}

func runSend(e *env, args []string) error {
	x, err := parseExchange("send", args)
	if err != nil {
		return err
	}
	ctx, now, stop := interruptible()
	defer stop()
	ctx, cancel := x.bound(ctx)
	defer cancel()
	bye := &farewell{notes: e.stderr, now: now}
	conn, done, err := x.connect(ctx, e, bye)
	if err != nil {
		return err
	}
	defer done()
	if x.group != "" {
		return x.sendToGroup(ctx, e, bye.client)
	}
	if x.lines {
		return x.sendLines(ctx, conn, bye, readLines(ctx, e.stdin))
	}
	return x.sendText(ctx, conn)
}

// sendText sends the text, and waits until it is taken.
func (x *exchange) sendText(ctx context.Context, conn channel.Conn) error {
	err := conn.SendMessage(ctx, x.message([]byte(x.text)))
	if err != nil {
		return fmt.Errorf("%w; nothing was sent", x.sendError(ctx, err))
	}
	var refused *channel.Error
	switch err = flush(ctx, conn); {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Code == channel.CodeNoHandler:
		return x.sendError(ctx, err)
	}
	return fmt.Errorf("%w; it is not known to have been taken", x.sendError(ctx, err))
}

// sendLines sends lines until there are no more, and waits until all are taken.
func (x *exchange) sendLines(outer context.Context, conn channel.Conn, bye *farewell, lines <-chan line) error {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	following, stop := context.WithCancel(context.WithoutCancel(outer))
	defer stop()
	t := &tally{}
	more := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() { // stops when all that was sent has been taken and more is closed, or with following
		defer close(done)
		if err := t.follow(following, conn, more); err != nil {
			cancel(err)
		}
	}()
	err := each(ctx, conn, lines, func(text []byte) error {
		if err := t.send(ctx, conn, x.message(text)); err != nil {
			return err
		}
		select {
		case more <- struct{}{}:
		default: // it is awake already
		}
		return nil
	})
	close(more)
	said := err == nil
	if said {
		select {
		case <-done:
		case <-outer.Done():
		}
	}
	bye.news(outer, done) // what was sent before an error may still be taken, and then that is to be known
	stop()
	<-done
	if err == nil {
		err = context.Cause(ctx)
	}
	t.settle(conn)
	if err == nil || said && !t.missing() {
		return nil // an interrupt came too late to matter
	}
	return x.account(x.sendError(outer, err), t, lostSession(conn))
}

// account adds to an error what is known of the lines, and what to do about those that are missing
// because the session is lost.
func (x *exchange) account(err error, t *tally, lost bool) error {
	if lost && !x.again && t.missing() {
		return fmt.Errorf("%w (%v; with --again the rest would be sent again)", err, t)
	}
	return fmt.Errorf("%w (%v)", err, t)
}
