package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/cmd/internal/cli"
	"github.com/pysock/pysock/keys"
)

var whoCommand = &command{
	name:  "who",
	brief: "print who is connected to the server",
	usage: `Usage: pysock who --keys FILE [--watch] [--json] [FLAG...]

Prints who is connected to the server, as far as it lets us see that, by name, a
line for each: NAME, "here" and since when its session is there, or "away" for
who has lost the connection and may come back, and since when that is so, the
key's fingerprint, and the groups with commas between them: one in a name is
printed as \x2c. All of it is the server's word.
"key-differs" after a key says that our key file has another one for the name:
it is not who that is elsewhere. A send or a request does not count as being
connected.

    --keys FILE           who we are: our key file
    --watch               go on, and print a line for each who has come, left,
                          lost the connection (away) or has it back, or has
                          another name (renamed, with was=) or other groups.
                          "watching" on stderr says that the list is complete
                          and what follows are changes
    --json                a JSON object a line: name, key, event (the word of
                          the text), key_differs if it does, since, groups, and
                          was for the name before
    --timeout D           give up after D, as in 10s or 2m (default: 30s; with
                          --watch that is for connecting only)
` + clientFlagsUsage + interruptUsage + `Then the exit status of --watch is 0.
`,
	run: runWho,
}

// whoArgs is what the arguments of who ask for.
type whoArgs struct {
	clientFlags
	watch, json bool
	timeout     time.Duration
	peers       map[string]keys.PublicKey // of our key file
}

func parseWho(args []string) (*whoArgs, error) {
	o := &whoArgs{}
	fs := newFlags("who")
	o.register(fs)
	fs.BoolVar(&o.watch, "watch", false, "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.DurationVar(&o.timeout, "timeout", defaultTimeout, "")
	if _, err := parse(fs, args, 0); err != nil {
		return nil, err
	}
	if o.timeout <= 0 {
		return nil, usagef("--timeout wants more than nothing, as in 10s")
	}
	return o, o.check()
}

func runWho(e *env, args []string) error {
	o, err := parseWho(args)
	if err != nil {
		return err
	}
	f, err := o.load()
	if err != nil {
		return err
	}
	o.peers = f.Peers
	interrupted, now, stop := interruptible()
	defer stop()
	ctx, cancel := context.WithTimeoutCause(interrupted, o.timeout, &lateError{o.timeout.String()})
	defer cancel()
	cfg := &client.Config{Transient: true, NoPipes: true, Handler: new(channel.Mux), NoReconnect: !o.watch}
	cfg.Handler.Fallback(discard)
	c, err := o.dial(ctx, e, f, cfg)
	if err != nil {
		return err
	}
	bye := &farewell{notes: e.stderr, now: now, client: c}
	defer bye.leave(interrupted)
	begun, end := context.WithCancel(ctx)
	end()
	_ = c.Run(begun) // ctx is done, so it only begins
	if o.watch {
		w := &watcher{notes: e.stderr, trying: "trying again", renewed: "what has changed meanwhile is told now"}
		defer w.watch(c)()
		err = o.follow(interrupted, e, c)
	} else {
		err = o.list(ctx, e.stdout, c)
	}
	switch {
	case err == nil || o.watch && interrupted.Err() != nil:
		return nil
	case ctx.Err() != nil && !o.watch:
		return ended(ctx)
	}
	return o.whoError(err, f)
}

// follow prints what the server tells until ctx ends.
func (o *whoArgs) follow(ctx context.Context, e *env, c *client.Client) error {
	for event, err := range c.Presence(ctx) {
		if err != nil {
			return err
		}
		if event.Kind == channel.Listed {
			fmt.Fprintln(e.stderr, "watching")
			continue
		}
		if err := o.print(e.stdout, event); err != nil {
			return err
		}
	}
	return nil
}

// list prints who is connected, by name.
func (o *whoArgs) list(ctx context.Context, out io.Writer, c *client.Client) error {
	peers, err := c.Peers(ctx)
	if err != nil {
		return err
	}
	for _, p := range peers {
		if err := o.print(out, channel.PresenceEvent{Kind: channel.WasHere, Peer: p}); err != nil {
			return err
		}
	}
	return nil
}

// whoEvent is a line for programs.
type whoEvent struct {
	Name   string         `json:"name"`
	Key    keys.PublicKey `json:"key"`
	Event  string         `json:"event"`
	Other  bool           `json:"key_differs,omitempty"` // our key file has another for the name
	Since  *time.Time     `json:"since,omitempty"`
	Groups []string       `json:"groups,omitempty"`
	Was    string         `json:"was,omitempty"`
}

func (o *whoArgs) print(out io.Writer, event channel.PresenceEvent) error {
	p := event.Peer
	ours, have := o.peers[p.Name]
	w := whoEvent{Name: p.Name, Key: p.Key, Event: whoWord(event), Other: have && ours != p.Key, Groups: p.Groups}
	since := p.Since
	if p.State == channel.Away {
		since = p.AwaySince
	}
	if !since.IsZero() {
		since = since.UTC().Truncate(time.Second)
		w.Since = &since
	}
	if event.Kind == channel.Renamed {
		w.Was = event.Before.Name
	}
	text := w.String
	if o.json {
		text = func() string { return asciiControls(w) }
	}
	if _, err := io.WriteString(out, text()+"\n"); err != nil {
		return writingError(err)
	}
	return nil
}

// String is the line for people. Names and groups hold no white space, but what does not print they
// may hold, and commas.
func (w whoEvent) String() string {
	s := cli.Escape([]byte(w.Name)) + " " + w.Event
	if w.Since != nil {
		s += " since=" + w.Since.Format(time.RFC3339)
	}
	s += " key=" + w.Key.Fingerprint()
	if w.Other {
		s += " key-differs"
	}
	if len(w.Groups) > 0 {
		groups := make([]string, len(w.Groups))
		for i, g := range w.Groups {
			groups[i] = strings.ReplaceAll(cli.Escape([]byte(g)), ",", `\x2c`)
		}
		s += " groups=" + strings.Join(groups, ",")
	}
	if w.Was != "" {
		s += " was=" + cli.Escape([]byte(w.Was))
	}
	return s
}

// whoWord says in a word what there is to tell.
func whoWord(event channel.PresenceEvent) string {
	switch event.Kind {
	case channel.Came:
		return "came"
	case channel.Went:
		return "left"
	case channel.CameBack:
		return "back"
	case channel.Renamed:
		return "renamed"
	case channel.GroupsChanged:
		return "groups"
	}
	return event.Peer.State.String() // WasHere and WentAway
}

// whoError says why the server tells nothing, or no more.
func (o *whoArgs) whoError(err error, f *keys.File) error {
	var refused *channel.Error
	var closed *channel.CloseError
	switch {
	case errors.As(err, &closed):
		return withAdvice(closeError("the server", closed), closed.Code, f)
	case errors.As(err, &refused) && refused.Code == channel.CodeNoHandler:
		return errors.New("the server does not tell who is connected: it is older than that")
	case errors.As(err, &refused) && refused.Code == channel.CodeRefused:
		return errors.New("the server does not let us see who is connected: ask its operator")
	case errors.As(err, &refused):
		return withAdvice(err, refused.Code, f)
	}
	return lostError("the server", o.several, err)
}
