package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

// defaultTimeout bounds a command that has one thing to do, and connecting for one that goes on.
const defaultTimeout = 30 * time.Second

// exchange is what send and request have in common: something to say to somebody on a channel.
type exchange struct {
	clientFlags
	channel string
	to      string
	timeout time.Duration
	text    string
	lines   bool // standard input, one message a line, and not text
	again   bool // what is not known to be taken is sent again
	group   string
}

// exchangeUsage is what the usage texts of both end with.
const exchangeUsage = `    --keys FILE           who we are: our key file
    --channel NAME        the channel
    --to NAME             to the client NAME, end to end encrypted; without it,
                          to the server
    --timeout D           give up after D, as in 10s or 2m (default: 30s; with
                          "-" that is for connecting only)
` + clientFlagsUsage

// parseExchange reads the arguments of send or request.
func parseExchange(name string, args []string) (*exchange, error) {
	x := &exchange{}
	fs := newFlags(name)
	x.register(fs)
	fs.StringVar(&x.channel, "channel", "", "")
	fs.StringVar(&x.to, "to", "", "")
	fs.DurationVar(&x.timeout, "timeout", 0, "")
	if name == "send" {
		fs.BoolVar(&x.again, "again", false, "")
		fs.StringVar(&x.group, "group", "", "")
	}
	rest, err := parse(fs, args, 1)
	if err != nil {
		return nil, err
	}
	if err := x.check(fs); err != nil {
		return nil, err
	}
	if len(rest) == 0 {
		return nil, usagef("there is nothing to send: give a text, or - for the lines of standard input")
	}
	x.text, x.lines = rest[0], rest[0] == "-"
	return x, nil
}

func (x *exchange) check(fs *flag.FlagSet) error {
	if err := x.clientFlags.check(); err != nil {
		return err
	}
	if x.channel == "" {
		return usagef("--channel NAME is missing")
	}
	if err := keys.CheckChannel(x.channel); err != nil {
		return usageError{err}
	}
	if x.to != "" {
		if err := keys.CheckClientName(x.to); err != nil {
			return usagef("--to: %w", err)
		}
	}
	if err := x.checkGroup(); err != nil {
		return err
	}
	given := false
	fs.Visit(func(f *flag.Flag) { given = given || f.Name == "timeout" })
	if given && x.timeout <= 0 {
		return usagef("--timeout wants more than nothing, as in 10s")
	}
	return nil
}

// who is the other end, for people.
func (x *exchange) who() string {
	if x.to == "" {
		return "the server"
	}
	return strconv.Quote(x.to)
}

// bound gives ctx the time that the command has.
func (x *exchange) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	d := x.timeout
	if d == 0 && !x.lines {
		d = defaultTimeout
	}
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, d, &lateError{d.String()})
}

// forEver is how long a pipe may be without its peer when nothing but --timeout is to end the command.
const forEver = 100 * 365 * 24 * time.Hour

// knockTimeout is how long a peer who is waited for may take to answer before he is asked again. It
// is long, as the server counts pipes that were given up, and not for ever: an answer may be lost
// with the process that was about to give it.
const knockTimeout = time.Minute

// config is how the client connects: once, or with again as often as it takes.
func (x *exchange) config() *client.Config {
	cfg := &client.Config{Transient: true, NoPipes: true, Handler: new(channel.Mux), NoReconnect: !x.again}
	if x.again {
		cfg.Delivery, cfg.PipeGrace, cfg.PipeTimeout = client.AtLeastOnce, forEver, knockTimeout
	}
	cfg.Handler.Fallback(discard)
	return cfg
}

// connect gives the connection to send on, and what to call when done. Until then people are told what becomes of it.
func (x *exchange) connect(ctx context.Context, e *env, bye *farewell) (conn channel.Conn, done func(), err error) {
	whole := ctx
	if x.timeout == 0 && x.lines {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, defaultTimeout, &lateError{defaultTimeout.String()})
		defer cancel()
	}
	f, err := x.load()
	if err != nil {
		return nil, nil, err
	}
	if x.to != "" && x.to == f.Name {
		return nil, nil, fmt.Errorf("%q is this client itself", x.to)
	}
	cfg := x.config()
	c, err := x.dial(ctx, e, f, cfg)
	if err != nil {
		return nil, nil, err
	}
	bye.client = c
	w := &watcher{notes: e.stderr, trying: "trying to go on where it was",
		renewed: "what is not known to have been taken is sent again"}
	if x.again {
		w.trying = "trying again"
	}
	stop := w.watch(c)
	done = func() {
		stop()
		bye.leave(whole)
	}
	begun, cancel := context.WithCancel(ctx)
	cancel()
	_ = c.Run(begun) // ctx is done, so it only begins
	if x.to == "" {
		return c, done, nil
	}
	p, err := x.openPipe(ctx, e.stderr, c)
	if err != nil {
		done()
		return nil, nil, err
	}
	_ = p.Run(begun)
	if x.again {
		unwatch := watchPipe(e.stderr, c, p)
		leaveClient := done
		done = func() {
			unwatch()
			leaveClient()
		}
	}
	if p.Peer().Unverified {
		learnt(e.stderr, "client "+strconv.Quote(x.to), p.Peer().Key, cfg.KnownPeers.Path())
	}
	return p, done, nil
}

// Waits between looking for somebody who is not connected, or takes no more pipes.
const (
	openAgain     = 250 * time.Millisecond
	mostOpenAgain = 2 * time.Second
)

// openPipe opens the pipe. With --again it waits for a peer who is not connected, or does not answer
// as his connection is lost: he may be on his way back, as after a restart of the server.
func (x *exchange) openPipe(ctx context.Context, notes io.Writer, c *client.Client) (*client.Pipe, error) {
	if x.again {
		defer x.tellAbsent(notes, c)()
	}
	var absent error // the last that says so
	for wait := openAgain; ; wait = min(2*wait, mostOpenAgain) {
		knocked := time.Now()
		p, err := c.OpenPipe(ctx, x.to)
		switch {
		case err == nil:
			return p, nil
		case ctx.Err() != nil && absent != nil && time.Since(knocked) < brief:
			return nil, x.pipeError(ctx, c, absent) // this one had no time to find out
		case ctx.Err() != nil, !x.again, !mayCome(c, err):
			return nil, x.pipeError(ctx, c, err)
		}
		absent = err
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, x.pipeError(ctx, c, absent)
		}
	}
}

// tellAbsent says that the peer is waited for, once that takes brief, until stop is called. If there
// is no connection to the server that is told, and not this.
func (x *exchange) tellAbsent(notes io.Writer, c *client.Client) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() { // stops when it is told, or with stop
		defer close(done)
		tick := time.NewTicker(lookAgain)
		defer tick.Stop()
		begun := time.Now()
		for {
			select {
			case <-tick.C:
				s := c.State()
				if s.Phase == client.Online && min(time.Since(begun), time.Since(s.Since)) >= brief {
					fmt.Fprintf(notes, "%q is not there; trying again\n", x.to)
					return
				}
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// mayCome reports whether a pipe that could not be opened may be later: the peer is not there, has
// no place for another, or our own session is lost and another follows.
func mayCome(c *client.Client, err error) bool {
	var e *channel.Error
	switch {
	case c.Context().Err() != nil:
		return false
	case errors.Is(err, client.ErrSessionLost):
		return true
	case !errors.As(err, &e):
		return false
	}
	switch e.Code {
	case channel.CodeNotConnected, channel.CodeGone, channel.CodeTimeout, channel.CodeBusy:
		return true
	}
	return false
}

// message marks a body as text if it is.
func (x *exchange) message(body []byte) *channel.Message {
	m := &channel.Message{Channel: x.channel, Body: body}
	if utf8.Valid(body) {
		m.Encoding = channel.Text
	}
	return m
}
