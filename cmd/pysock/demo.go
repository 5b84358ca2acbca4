package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/server"
)

var demoCommand = &command{
	name:  "demo",
	brief: "see it happen: a server, two clients, and what the server sees",
	usage: `Usage: pysock demo

Runs a server and two clients in this process, over the loopback interface and
without files. The clients talk to the server, and to each other through an
encrypted pipe; beside it stands what the server handled of that. Then all that
was recorded is searched for what was said.
`,
	run: runDemo,
}

// What is said in the demo.
const (
	demoChannel = "greetings"
	demoHello   = "Hello, server!"
	demoSecret  = "lunch"
	demoAsk     = "Meet me at noon."
	demoAnswer  = "I will be there."
)

// demo is a world of a server and two clients, with a tap between each of them and the server.
type demo struct {
	show       *show
	srv        *server.Server
	served     chan struct{} // closed when the server has ended; nil before it begins
	wire       *recorder
	taps       []*tap // alice's and bob's
	alice, bob *client.Client
}

func runDemo(e *env, args []string) error {
	if _, err := parse(newFlags("demo"), args, 0); err != nil {
		return err
	}
	ctx, _, stop := interruptible()
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("the demo took too long; try again"))
	defer cancel()
	d := &demo{show: newShow(e.stdout), wire: &recorder{}}
	defer d.end()
	if err := d.begin(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{d.echo, d.pipe, d.search} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if d.show.err != nil {
		return writingError(d.show.err)
	}
	return nil
}

// begin starts the server and connects the clients, each through its tap.
func (d *demo) begin(ctx context.Context) error {
	files, err := family([]string{"alice", "bob"}, defaultAddress)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := new(channel.Mux)
	mux.Handle(demoChannel, echo)
	d.srv = &server.Server{Keys: files[0], Handler: mux, Logger: slog.New(slog.DiscardHandler)}
	d.served = make(chan struct{})
	go func() { // stops when end closes the server, and waits for it
		defer close(d.served)
		_ = d.srv.Serve(context.Background(), &recordingListener{ln, d.wire}) // a failure is one of the clients' too
	}()
	for _, f := range files[1:] {
		t := newTap(files[0].Private, f.Private)
		d.taps = append(d.taps, t)
		c, err := client.Dial(ctx, ln.Addr().String(), &client.Config{Keys: f, DialContext: t.dial})
		if err != nil {
			return err
		}
		if d.alice == nil {
			d.alice = c
		} else {
			d.bob = c
		}
	}
	d.show.text("PySock demo: a server and the clients alice and bob, in one process, on %s.", ln.Addr())
	d.show.text("On the left what they say. On the right what the server handles of it, in hexadecimal and as text. That is recorded by a tap on the way which has the server's private key, and so reads all that the server can read.")
	return nil
}

func (d *demo) end() {
	for _, c := range []*client.Client{d.alice, d.bob} {
		if c != nil {
			_ = c.Close() // all was said
		}
	}
	for _, t := range d.taps {
		t.wait()
	}
	if d.served != nil {
		_ = d.srv.Close() // nobody is there any more
		<-d.served
	}
}

// echo has alice talk to the server.
func (d *demo) echo(ctx context.Context) error {
	d.show.title("1. alice and the server, on the channel %q. The server reads it: it is meant to.", demoChannel)
	up, down := d.taps[0].up.mark(), d.taps[0].down.mark()
	if err := d.alice.SendMessage(ctx, text(demoChannel, demoHello)); err != nil {
		return err
	}
	m, err := d.alice.Receive(ctx)
	if err != nil {
		return err
	}
	d.show.beside([]string{"alice says to the server", quoted(demoHello)}, d.taps[0].up.since(up))
	d.show.beside([]string{"alice hears from the server", quoted(string(m.Body))}, d.taps[0].down.since(down))
	return nil
}

// pipe has alice and bob talk to each other.
func (d *demo) pipe(ctx context.Context) error {
	p, err := d.alice.OpenPipe(ctx, "bob")
	if err != nil {
		return err
	}
	q, err := d.bob.AcceptPipe(ctx)
	if err != nil {
		return err
	}
	d.show.title("2. alice and bob, on the channel %q of a pipe through the server.", demoSecret)
	if p.SafetyNumber() != q.SafetyNumber() {
		return errors.New("the two ends of the pipe have different safety numbers")
	}
	d.show.text("The safety number is the same at both ends. People compare it, and then know that nobody is between them:")
	d.show.text("%s", p.SafetyNumber())
	if err := d.say(ctx, "alice", "bob", demoAsk, p, q, d.taps[0]); err != nil {
		return err
	}
	return d.say(ctx, "bob", "alice", demoAnswer, q, p, d.taps[1])
}

// say sends a text through the pipe, and shows what came out at the other end and what the server handled.
func (d *demo) say(ctx context.Context, who, whom, what string, from, to *client.Pipe, t *tap) error {
	before := t.up.mark()
	if err := from.SendMessage(ctx, text(demoSecret, what)); err != nil {
		return err
	}
	m, err := to.Receive(ctx)
	if err != nil {
		return err
	}
	if err := from.Flush(ctx); err != nil {
		return err
	}
	d.show.beside([]string{who + " says to " + whom, quoted(what), "", whom + " hears from " + who,
		quoted(string(m.Body))}, t.up.since(before))
	return nil
}

// search looks for what was said in all that was recorded. The demo fails if that is not what it should be.
func (d *demo) search(context.Context) error {
	var read []*recorder
	for _, t := range d.taps {
		read = append(read, t.up, t.down)
	}
	d.show.title("3. A search through all that was recorded.")
	d.show.text("The server's sockets carried %d bytes. Under its own layer of encryption the server read and wrote %d.",
		d.wire.size(), size(read))
	d.show.row("", "on the sockets", "read by the server")
	unexpected := false
	for _, s := range []struct {
		what   string
		bytes  []byte
		server bool // the server is to read it
	}{
		{quoted(demoHello), []byte(demoHello), true},
		{"channel " + quoted(demoChannel), []byte(demoChannel), true},
		{quoted(demoAsk), []byte(demoAsk), false},
		{quoted(demoAnswer), []byte(demoAnswer), false},
		{"channel " + quoted(demoSecret), []byte(demoSecret), false},
	} {
		onWire, byServer := d.wire.has(s.bytes), has(read, s.bytes)
		unexpected = unexpected || onWire || byServer != s.server
		note := ""
		if s.server {
			note = ", it is for the server"
		}
		d.show.row(s.what, found(onWire), found(byServer)+note)
	}
	for i, c := range []*client.Client{d.alice, d.bob} {
		onWire := d.wire.has(c.Key().Bytes())
		unexpected = unexpected || onWire
		d.show.row([]string{"alice's", "bob's"}[i]+" public key", found(onWire), "proven to the server")
	}
	if unexpected {
		return errors.New("the search found what it should not; please report it")
	}
	d.show.space()
	d.show.text("What the server does see of a pipe: who talks to whom, when, and how much.")
	d.show.text("Next: pysock init alice bob")
	return nil
}

func found(yes bool) string {
	if yes {
		return "found"
	}
	return "not found"
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

func text(name, s string) *channel.Message {
	return &channel.Message{Channel: name, Body: []byte(s), Encoding: channel.Text}
}

func has(all []*recorder, what []byte) bool {
	for _, r := range all {
		if r.has(what) {
			return true
		}
	}
	return false
}

func size(all []*recorder) (n int) {
	for _, r := range all {
		n += r.size()
	}
	return n
}
