package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

var listenCommand = &command{
	name:  "listen",
	brief: "print what the server and peers send",
	usage: `Usage: pysock listen --keys FILE [--channel NAME]... [--group NAME]...
                     [--count N] [--json] [FLAG...]

Prints each message from the server ("server") and from the pipes of the key
file's peers as a line FROM CHANNEL TEXT, and what is sent to a group that we
are in as GROUP/FROM CHANNEL TEXT. That one comes through the server, which can
read it, and who FROM is, is the server's word: it may be anybody. Names hold no
slash. What does not print, line ends among it, is shown as the escapes of a Go
string, such as \n, \x1b, \u202e, and a backslash as \\. "connected" on standard
error says that messages are taken from now on. A slow reader of the output
slows the senders; one who stops reading, as head does, ends the command with
exit status 1 at the next message, which then is lost. Requests are printed too,
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
    --group NAME          join the group NAME, if the server allows it; may be
                          repeated, 16 at most
    --count N             stop, with exit status 0, when N messages were
                          printed. When several senders' messages come at once,
                          those taken already are printed too
    --json                a JSON object a line: from, key, channel, via
                          ("server", "pipe" or "group"), group if it was sent
                          to one, and body as a string if it is UTF-8, else
                          body_base64
    --accept-strangers    with --trust-on-first-use: accept pipes from peers
                          never met before
` + clientFlagsUsage + interruptUsage + `Then the exit status is 0, or 1 if there were fewer than N messages.
`,
	run: runListen,
}

// errEnough ends the command when it has printed what it was to print.
var errEnough = errors.New("enough messages")

// listenArgs is what the arguments of listen ask for.
type listenArgs struct {
	clientFlags
	channels  list
	groups    list
	count     int
	json      bool
	strangers bool
}

func parseListen(args []string) (*listenArgs, error) {
	o := &listenArgs{}
	fs := newFlags("listen")
	o.register(fs)
	fs.Var(&o.channels, "channel", "")
	fs.Var(&o.groups, "group", "")
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
	if err := o.channels.once("channel", keys.CheckChannel); err != nil {
		return nil, err
	}
	if len(o.groups) > mostGroups {
		return nil, usagef("--group may be given %d times at most", mostGroups)
	}
	return o, o.groups.once("group", keys.CheckName)
}

// mostGroups is how many groups a client can be in: wire.MaxGroups, which is part of the protocol.
// It is written here once more because commands are made of the public packages alone.
const mostGroups = 16

func runListen(e *env, args []string) error {
	o, err := parseListen(args)
	if err != nil {
		return err
	}
	f, err := o.load()
	if err != nil {
		return err
	}
	interrupted, now, stop := interruptible()
	defer stop()
	ctx, cancel := context.WithCancelCause(interrupted)
	defer cancel(nil)
	p := &printer{out: e.stdout, notes: e.stderr, json: o.json, count: o.count, enough: cancel,
		ended: make(chan struct{})}
	cfg := &client.Config{Handler: new(channel.Mux), AcceptStrangers: o.strangers, Groups: o.groups}
	for _, name := range o.channels {
		cfg.Handler.Handle(name, p.handle)
	}
	if len(o.channels) == 0 {
		cfg.Handler.Fallback(p.handle)
	}
	c, err := o.dial(ctx, e, f, cfg)
	if err != nil {
		return o.groupError(err)
	}
	if cfg.KnownPeers != nil {
		p.knownPeers = cfg.KnownPeers.Path()
	}
	fmt.Fprintln(e.stderr, "connected")
	w := &watcher{notes: e.stderr, trying: "trying again",
		renewed: "what was on its way may be lost, and then its sender knows"}
	unwatch := w.watch(c)
	reason := c.Run(ctx)
	unwatch()
	// Closing tells the senders what was taken; only then may a handler that is to take no more return.
	bye := &farewell{notes: e.stderr, now: now, client: c}
	left := bye.leave(interrupted)
	close(p.ended)
	if left {
		waitHandlers(c, now)
	}
	return o.outcome(p, interrupted, reason, f)
}

// waitHandlers waits for handlers, which may be printing, unless somebody interrupts once more: who
// reads our output may never do so.
func waitHandlers(c *client.Client, now <-chan struct{}) {
	done := make(chan struct{})
	go func() { // stops with the handlers, or with the process
		defer close(done)
		c.Wait()
	}()
	select {
	case <-done:
	case <-now:
	}
}

// outcome judges how it ended.
func (o *listenArgs) outcome(p *printer, interrupted context.Context, reason error, f *keys.File) error {
	printed, failed := p.result()
	var closed *channel.CloseError
	switch {
	case failed != nil:
		return failed
	case o.count > 0 && printed >= o.count:
		return nil
	case interrupted.Err() != nil && o.count == 0:
		return nil
	case interrupted.Err() != nil:
		return fmt.Errorf("%w after %d of %d messages", errInterrupted, printed, o.count)
	case errors.As(reason, &closed) && closed.Code == channel.CodeUnknownKey:
		return fmt.Errorf("the server does not know this key any more: %s", letIn(f))
	case errors.As(reason, &closed) && closed.Code == channel.CodeRefused && len(o.groups) > 0:
		return o.groupError(closed)
	case errors.As(reason, &closed):
		return withAdvice(closeError("the server", closed), closed.Code, f)
	}
	return lostError("the server", o.several, reason)
}

// groupError says that a server refuses us for our groups, as it does for nothing else with that
// code. Other errors are as they were.
func (o *listenArgs) groupError(err error) error {
	var refused *channel.Error
	var closed *channel.CloseError // when it has come back
	text := ""
	switch {
	case len(o.groups) == 0 || !errors.Is(err, channel.CodeRefused):
		return err
	case errors.As(err, &closed):
		text = closed.Text
	case !errors.As(err, &refused) || !refused.Remote:
		return err
	default:
		text = refused.Text
	}
	said, quoted := "", make([]string, len(o.groups))
	if text != "" {
		said = " (" + strconv.Quote(text) + ")"
	}
	for i, g := range o.groups {
		quoted[i] = strconv.Quote(g)
	}
	which := "the group " + quoted[0]
	if len(quoted) > 1 {
		which = "all of the groups " + strings.Join(quoted, ", ")
	}
	return fmt.Errorf("the server does not let us join %s%s: ask its operator, who lets everybody with pysock serve --groups", which, said)
}
