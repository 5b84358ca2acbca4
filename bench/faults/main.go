//go:build linux

// Command faults proves with the real binaries, over real sockets, what docs/testing.md promises of
// a network that fails: it builds pysock, runs a server, a sender and a listener, breaks what is
// between or below them, and compares what was printed with what was fed.
//
//	go run ./faults SCENARIO... [-seed N] [-lines N] [-over D] [-source DIR] ...
//
// Each scenario prints a table and PASS or FAIL; the exit status is 1 if one failed. What it
// started ends with it, also when it is interrupted or killed. Scenario move needs root, and ip
// (iproute2) and nsenter (util-linux).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// scenarios are what can be proven. An error of theirs is one of the rig; what the binaries do
// wrong goes to the report.
var scenarios = map[string]func(context.Context, *rig) error{
	"cuts":    cuts,
	"stop":    stop,
	"move":    move,
	"kill":    kill,
	"restart": restart,
	"away":    away,
}

// options are the flags.
type options struct {
	source  string
	seed    uint64
	lines   int
	size    int
	over    time.Duration
	limit   time.Duration
	every   time.Duration
	stopped time.Duration
	away    time.Duration
	offer   int64
	clients int
	serve   words
	send    words
	listen  words
}

// words is a flag with several values, separated by spaces.
type words []string

func (w *words) String() string     { return strings.Join(*w, " ") }
func (w *words) Set(s string) error { *w = strings.Fields(s); return nil }

func main() {
	o := &options{}
	flag.StringVar(&o.source, "source", "..", "the module to build the binaries from")
	flag.Uint64Var(&o.seed, "seed", 0, "of all that is random; 0 for another one each time")
	flag.IntVar(&o.lines, "lines", 100_000, "how many lines are sent")
	flag.IntVar(&o.size, "size", 200, "how long a line is, in bytes")
	flag.DurationVar(&o.over, "over", 16*time.Second, "the time that the lines are spread over")
	flag.DurationVar(&o.limit, "limit", 5*time.Minute,
		"when a scenario has failed because it does not end; away has -away besides")
	flag.DurationVar(&o.every, "every", 300*time.Millisecond, "cuts: the time between two cuts")
	flag.DurationVar(&o.stopped, "stopped", 20*time.Second, "stop: how long the server is stopped")
	flag.DurationVar(&o.away, "away", 150*time.Second,
		"away: how long the listener is; longer than the server's grace time")
	flag.Int64Var(&o.offer, "offer", 1<<30, "away: how many bytes are offered")
	flag.IntVar(&o.clients, "clients", 5000, "restart: how many clients")
	flag.Var(&o.serve, "serve-flags", "more flags for pysock serve, separated by spaces")
	flag.Var(&o.send, "send-flags", "more flags for pysock send")
	flag.Var(&o.listen, "listen-flags", "more flags for pysock listen")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: faults", strings.Join(slices.Sorted(maps.Keys(scenarios)), "|"),
			"... [FLAG...]")
		flag.PrintDefaults()
	}
	names, args := split(os.Args[1:])
	_ = flag.CommandLine.Parse(args) // ends the process if it fails
	names = append(names, flag.Args()...)
	if len(names) == 0 || slices.ContainsFunc(names, func(name string) bool { return scenarios[name] == nil }) {
		flag.Usage()
		os.Exit(2)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	failed := false
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		failed = !run(ctx, name, o) || failed
	}
	if failed || ctx.Err() != nil {
		os.Exit(1)
	}
}

// split takes the names that come before the flags.
func split(args []string) (names, rest []string) {
	n := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-") })
	if n < 0 {
		n = len(args)
	}
	return slices.Clone(args[:n]), args[n:]
}

// run runs one scenario in a rig of its own, and reports whether all was as it should be.
func run(ctx context.Context, name string, o *options) bool {
	limit := o.limit
	if name == "away" {
		limit += o.away
	}
	late := fmt.Errorf("it does not end in %v", limit)
	within, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	r, err := newRig(within, o)
	if err == nil {
		err = scenarios[name](within, r)
	}
	interrupted := ctx.Err() != nil
	switch {
	case interrupted:
		err = errors.New("interrupted")
	case err != nil && within.Err() != nil && !errors.Is(err, late):
		err = fmt.Errorf("%w: %w", err, late)
	}
	r.close()
	if err != nil {
		r.expect(false, "%v", err)
	}
	return r.print(os.Stdout, name)
}
