package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

var listenCommand = &command{
	name:  "listen",
	brief: "print what the server and peers send",
	usage: `Usage: pysock listen --keys FILE [--channel NAME]... [--count N] [--json]
                     [FLAG...]

Prints each message from the server ("server") and from the pipes of the key
file's peers as a line FROM CHANNEL TEXT. What does not print, line ends among
it, is shown as the escapes of a Go string, such as \n, \x1b, \u202e, and a
backslash as \\. "connected" on standard error says that messages are taken from
now on. A slow reader of the output slows the senders. Requests are printed too,
and answered with nothing.

A connection that is lost it replaces, and tries as long as it takes. A line on
standard error says when the connection is lost for more than a second, and one
when it is back. If the server has kept the session nothing is lost and nothing
comes twice; if not, as after its restart, it is a new session: what was on its
way may be lost, and then the sender is told, and on standard error how many
messages are missing. It ends with exit status 1 when the server does not want
it back, say because a newer session of the same key has replaced it. The first
connection is tried once.

    --keys FILE           who we are: our key file
    --channel NAME        only this channel; may be repeated. Senders on others
                          are refused
    --count N             stop, with exit status 0, when N messages were
                          printed. When several senders' messages come at once,
                          those taken already are printed too
    --json                a JSON object a line: from, key, channel, via
                          ("server" or "pipe"), and body as a string if it is
                          UTF-8, else body_base64
    --accept-strangers    with --trust-on-first-use: accept pipes from peers
                          never met before
` + clientFlagsUsage + `
An interrupt ends it with exit status 0, or 1 if there were fewer than N
messages.
`,
	run: runListen,
}

// errEnough ends the command when it has printed what it was to print.
var errEnough = errors.New("enough messages")

// listenArgs is what the arguments of listen ask for.
type listenArgs struct {
	clientFlags
	channels  list
	count     int
	json      bool
	strangers bool
}

func parseListen(args []string) (*listenArgs, error) {
	o := &listenArgs{}
	fs := newFlags("listen")
	o.register(fs)
	fs.Var(&o.channels, "channel", "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.BoolVar(&o.strangers, "accept-strangers", false, "")
	fs.Var((*positive)(&o.count), "count", "")
	if _, err := parse(fs, args, 0); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.strangers && !o.firstUse {
		return nil, usagef("--accept-strangers goes with --trust-on-first-use")
	}
	seen := map[string]bool{}
	for _, name := range o.channels {
		if err := keys.CheckChannel(name); err != nil {
			return nil, usageError{err}
		}
		if seen[name] {
			return nil, usagef("--channel %q is given twice", name)
		}
		seen[name] = true
	}
	return o, nil
}

func runListen(e *env, args []string) error {
	o, err := parseListen(args)
	if err != nil {
		return err
	}
	f, err := o.load()
	if err != nil {
		return err
	}
	interrupted, stop := interruptible()
	defer stop()
	ctx, cancel := context.WithCancelCause(interrupted)
	defer cancel(nil)
	p := &printer{out: e.stdout, notes: e.stderr, json: o.json, count: o.count, enough: cancel, ended: make(chan struct{})}
	cfg := &client.Config{Handler: new(channel.Mux), AcceptStrangers: o.strangers}
	for _, name := range o.channels {
		cfg.Handler.Handle(name, p.handle)
	}
	if len(o.channels) == 0 {
		cfg.Handler.Fallback(p.handle)
	}
	c, err := o.dial(ctx, e, f, cfg)
	if err != nil {
		return err
	}
	if cfg.KnownPeers != nil {
		p.knownPeers = cfg.KnownPeers.Path()
	}
	fmt.Fprintln(e.stderr, "connected")
	w := &watcher{notes: e.stderr, trying: "trying again", renewed: "what was on its way may be lost, and then its sender knows"}
	unwatch := w.watch(c)
	reason := c.Run(ctx)
	unwatch()
	// Closing tells the senders what was taken; only then may a handler that is to take no more return.
	left := leave(interrupted, c)
	close(p.ended)
	if left {
		c.Wait()
	}
	return o.outcome(p, interrupted, reason, f)
}

// outcome judges how it ended.
func (o *listenArgs) outcome(p *printer, interrupted context.Context, reason error, f *keys.File) error {
	printed, failed := p.result()
	var closed *channel.CloseError
	var refused *channel.Error
	switch {
	case failed != nil:
		return failed
	case o.count > 0 && printed >= o.count:
		return nil
	case interrupted.Err() != nil && o.count == 0:
		return nil
	case interrupted.Err() != nil:
		return fmt.Errorf("%w after %d of %d messages", errInterrupted, printed, o.count)
	case errors.As(reason, &closed):
		return withAdvice(closeError("the server", closed), closed.Code, f)
	case errors.As(reason, &refused) && refused.Code == channel.CodeUnknownKey:
		return fmt.Errorf("the server does not know this key any more: %s", letIn(f))
	case errors.As(reason, &refused):
		return withAdvice(reason, refused.Code, f)
	}
	return lostError("the server", reason)
}
