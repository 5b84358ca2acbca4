package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/cmd/internal/cli"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/server"
)

var serveCommand = &command{
	name:  "serve",
	brief: "run a server",
	usage: `Usage: pysock serve --keys FILE [--listen HOST:PORT] [--echo CHANNEL]...
                    [FLAG...]

Lets the clients of the key file in and carries the pipes between them, which it
cannot read. The first line on standard output is "listening on HOST:PORT".
SIGTERM or an interrupt drains it for at most 10 s, a second one cuts; SIGHUP
reads the list of clients again, and ends the sessions of those who are no
longer on it. SIGUSR1 writes what there is to count on standard error, in one
line.

    --keys FILE           the server's key file
    --listen HOST:PORT    where to listen (default: the key file's); port 0 is
                          any that is free
    --echo CHANNEL        answer messages and requests on CHANNEL with
                          themselves; may be repeated
    --groups              let all clients join groups, leave them, and send to
                          them, in them or not; else none may
    --max-sessions N      how many sessions there may be at once (default 10000;
                          a closed server needs at most 17 for each client)
    --max-memory SIZE     the most memory that clients can have it hold, as in
                          4GiB, if all abuse every limit at once. There are as
                          many sessions as that allows or, with --max-sessions,
                          so many, and each may hold less: messages and what is
                          on its way get smaller (default: no bound of its own)
    --max-message SIZE    the largest message taken from a client, as in 1MiB
                          (default 16MiB; 64KiB to 1GiB). What a session may
                          hold goes down by 7 times what this does
    --max-handshakes N    how many connections may be in their handshake at once
                          (default 512); one more ends the oldest of them
    --grace D             how long a session is kept whose client has lost its
                          connection, so that it can go on with nothing lost
                          (default 2m); 0 keeps none. In whole seconds
    --return-after D      after a drain clients come back so much later, and up
                          to 2 ms more for each session, so that not all come
                          at once (default 1s); at most 10m, which is as long as
                          clients wait for anything they are told
    --names F             for an open server: where it keeps who has which name
                          (default: beside the key file, with the ending .names)
    --verbose             write a line on standard error for each client that
                          joins, leaves, loses its connection, is back, or has
                          another name or other groups
` + keyFlagsUsage,
	run: runServe,
}

// serveArgs is what the arguments of serve ask for.
type serveArgs struct {
	keyFlags
	listen string
	echo   list
	limits server.Limits
	memory amount // 0 for no bound
	names  string // "" for a server that is not open
	grace  time.Duration
	back   time.Duration // how long after a drain clients come back

	groups, verbose bool
}

// The defaults of server.Server.
const (
	defaultGrace = 2 * time.Minute
	defaultBack  = time.Second
)

const (
	mostGrace = 24 * time.Hour   // who is away for longer is gone, for people
	mostBack  = 10 * time.Minute // clients do not obey more
)

func parseServe(args []string) (*serveArgs, error) {
	o := &serveArgs{}
	fs := newFlags("serve")
	o.register(fs)
	fs.StringVar(&o.listen, "listen", "", "")
	fs.Var(&o.echo, "echo", "")
	fs.StringVar(&o.names, "names", "", "")
	fs.DurationVar(&o.grace, "grace", defaultGrace, "")
	fs.DurationVar(&o.back, "return-after", defaultBack, "")
	fs.BoolVar(&o.groups, "groups", false, "")
	fs.BoolVar(&o.verbose, "verbose", false, "")
	fs.Var((*positive)(&o.limits.MaxSessions), "max-sessions", "")
	fs.Var((*positive)(&o.limits.MaxHandshakes), "max-handshakes", "")
	fs.Var(&o.memory, "max-memory", "")
	var message amount
	fs.Var(&message, "max-message", "")
	if _, err := parse(fs, args, 0); err != nil {
		return nil, err
	}
	if err := o.echo.once("echo", keys.CheckChannel); err != nil {
		return nil, err
	}
	if message != 0 && (message < leastMessage || message > mostMessage) {
		return nil, usagef("--max-message wants a size from %s to %s", amount(leastMessage).short(),
			amount(mostMessage).short())
	}
	o.limits.MaxMessage = int(message)
	switch {
	case o.grace < 0 || o.grace%time.Second != 0 || o.grace > mostGrace:
		return nil, usagef("--grace wants whole seconds, as in 2m, at most %d h, or 0 for none", int(mostGrace.Hours()))
	case o.back <= 0 || o.back > mostBack:
		return nil, usagef("--return-after wants more than nothing, and at most %s", span(mostBack))
	}
	if o.listen != "" {
		_, port, err := net.SplitHostPort(o.listen)
		if err != nil {
			return nil, usagef("--listen %q is not HOST:PORT, as in :7700", o.listen)
		}
		if _, err := net.LookupPort("tcp", port); err != nil {
			return nil, usagef("--listen %q has no port from 0 to 65535 in it, as in :7700", o.listen)
		}
	}
	return o, o.check()
}

func runServe(e *env, args []string) error {
	o, err := parseServe(args)
	if err != nil {
		return err
	}
	f, err := o.load()
	if err != nil {
		return err
	}
	srv, err := o.server(e, f)
	if err != nil {
		return err
	}
	if srv.Names != nil {
		defer srv.Names.Close() // its error would be of visits to note, not of names
	}
	ln, err := o.open(f)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 4) // before the first line, after which somebody may send one
	signal.Notify(signals, append([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, statsSignals...)...)
	defer signal.Stop(signals)
	if _, err := fmt.Fprintf(e.stdout, "listening on %s\n", ln.Addr()); err != nil {
		ln.Close()
		return writingError(err)
	}
	describe(e.stderr, f, ln.Addr(), srv)
	return o.serve(e, srv, ln, signals)
}

// server makes the server, with its handlers and its book of names.
func (o *serveArgs) server(e *env, f *keys.File) (*server.Server, error) {
	if f.Clients == nil && !f.Open && (f.Server != nil || f.Peers != nil) {
		return nil, fmt.Errorf("%s is a client's key file: serve wants the server's, as pysock init makes it",
			strconv.Quote(o.path))
	}
	if o.names != "" && !f.Open {
		return nil, usagef("--names is for an open server: add open: true to the key file")
	}
	limits := o.limits
	if o.memory != 0 {
		var err error
		if limits, err = fitMemory(limits, o.memory, len(f.Clients)); err != nil {
			return nil, err
		}
	}
	mux := new(channel.Mux)
	for _, name := range o.echo {
		mux.Handle(name, echo)
	}
	srv := &server.Server{Keys: f, Handler: mux, Limits: limits, Grace: o.grace, ReturnAfter: o.back,
		Logger: slog.New(slog.NewTextHandler(e.stderr, nil))}
	if o.grace == 0 {
		srv.Grace = -1
	}
	if o.groups {
		allowGroups(srv)
	}
	if o.verbose {
		logClients(srv)
	}
	if !f.Open {
		return srv, nil
	}
	if o.names == "" {
		o.names = strings.TrimSuffix(o.path, filepath.Ext(o.path)) + ".names"
	}
	var err error
	srv.Names, err = server.OpenNames(o.names, nil)
	return srv, err
}

// echo answers with what came. That its sender does not want it is none of our errors.
func echo(ctx context.Context, from channel.Conn, m *channel.Message) error {
	if m.IsRequest() {
		return m.ReplyMessage(ctx, m.Encoding, m.Body)
	}
	_ = from.SendMessage(ctx, &channel.Message{Channel: m.Channel, Body: m.Body, Encoding: m.Encoding})
	return nil
}

func (o *serveArgs) open(f *keys.File) (net.Listener, error) {
	address := o.listen
	if address == "" {
		address = f.Listen
	}
	if address == "" {
		return nil, fmt.Errorf("nothing says where to listen: give --listen :7700, or add listen: \":7700\" to %s",
			strconv.Quote(o.path))
	}
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second,
		Interval: 15 * time.Second, Count: 3}}
	ln, err := lc.Listen(context.Background(), "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %q is in use: stop who uses it, or choose another with --listen", address)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with --listen", err)
	}
	return ln, nil
}

var (
	errCut        = errors.New("stopped before everything was done: connections were cut")
	errNotDrained = errors.New("not drained in 10s: connections were cut")
)

// slowGoodbye is when a client that has not answered the server's goodbye counts as cut: the server
// does that a moment later, and does not tell which it was. Others answer within a round trip,
// since no handler of ours takes long.
const slowGoodbye = 4500 * time.Millisecond

// serve serves until a signal ends it.
func (o *serveArgs) serve(e *env, srv *server.Server, ln net.Listener, signals <-chan os.Signal) error {
	ctx, drain := context.WithCancel(context.Background())
	defer drain()
	result := make(chan error, 1)
	go func() { result <- srv.Serve(ctx, ln) }() // stops after drain or Close, and is waited for below
	cut, left := false, 0
	var late <-chan time.Time
	for {
		select {
		case err := <-result:
			switch {
			case cut:
				return errCut
			case errors.Is(err, context.DeadlineExceeded):
				return errNotDrained
			case err == nil && left > 0:
				fmt.Fprintf(e.stderr, "stopped; sessions that were cut because their clients did not answer: %d\n",
					left)
			case err == nil:
				fmt.Fprintln(e.stderr, "stopped")
			}
			return err
		case <-late:
			s := srv.Stats()
			left = s.Sessions + s.Ending
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP:
				o.reload(e, srv)
			case slices.Contains(statsSignals, s):
				logStats(srv)
			case ctx.Err() == nil:
				tellDrain(e.stderr, srv)
				drain()
				late = time.After(slowGoodbye)
			default:
				cut = true
				_ = srv.Close() // its errors would be those of a server that never began
			}
		}
	}
}

// tellDrain says what becomes of the sessions, if there are any.
func tellDrain(w io.Writer, srv *server.Server) {
	s := srv.Stats()
	if here := s.Sessions - s.Away; here > 0 {
		fmt.Fprintln(w, "stopping: sessions have 10 s to end and are told when to come back; another signal cuts them")
	}
	if s.Away > 0 {
		fmt.Fprintf(w, "sessions that end now because their clients are away: %d\n", s.Away)
	}
}

// reload reads the list of clients again. If that fails the old one stays, and only a line says so.
func (o *serveArgs) reload(e *env, srv *server.Server) {
	f, err := o.loadList()
	if err == nil {
		err = srv.Reload(f)
	}
	if err != nil {
		fmt.Fprintf(e.stderr, "pysock serve: the clients are as before: %s\n", cli.OneLine(err))
		return
	}
	fmt.Fprintf(e.stderr, "reloaded %s: clients: %d\n", strconv.Quote(o.path), len(f.Clients))
}

// loadList reads the key file for its list of clients, which takes no passphrase.
func (o *serveArgs) loadList() (*keys.File, error) {
	f, err := keys.LoadWith(o.path, &keys.LoadOptions{PublicOnly: true})
	if errors.Is(err, keys.ErrEncrypted) {
		return nil, fmt.Errorf("%w, and nothing else says the server's key: add its public_key to the file", err)
	}
	if err == nil && f.Open && o.names == "" {
		return nil, fmt.Errorf("%s says open: true now: start the server again to open it", strconv.Quote(o.path))
	}
	return f, err
}
