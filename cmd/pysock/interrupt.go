package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
)

// errInterrupted is the end by a signal.
var errInterrupted = errors.New("interrupted")

// interruptUsage is what the usage texts say of it.
const interruptUsage = `
An interrupt ends it. What the other side has still to tell or to hear is waited
for, at most 3 s, and not at all while there is no connection; a second
interrupt ends that, too.
`

// interruptible gives a ctx that ends with an interrupt, a request to end or the end of the
// terminal, unless that is to be survived (nohup). A second interrupt or request closes now, and
// after that another one ends the process as usual. The end of a terminal counts once: it comes
// from the shell, and again when that has gone.
func interruptible() (ctx context.Context, now <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, hangups := make(chan os.Signal, 2), make(chan os.Signal, 1)
	second, quit, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangups, syscall.SIGHUP)
	}
	go func() { // stops with the second interrupt, or with stop
		defer close(done)
		defer signal.Stop(signals)
		for {
			select {
			case <-hangups:
				cancel()
			case <-signals:
				if ctx.Err() != nil {
					close(second)
					return
				}
				cancel()
			case <-quit:
				return
			}
		}
	}()
	return ctx, second, func() {
		close(quit)
		<-done
		signal.Stop(hangups)
		cancel()
	}
}

const (
	// lastNews is how long somebody who interrupts is made to wait for news of what was taken.
	lastNews = time.Second
	// closeTime is how long closing may take when somebody interrupts, or the connection is lost:
	// else a server that does not answer could make that some ten seconds.
	closeTime = 2 * time.Second
	// lastWord is how much of that the server has to hear that the session ends, when others have
	// not answered until then, or nobody waits for them any more.
	lastWord = 500 * time.Millisecond
	// unnoticed is how long waiting may take before people are told what for.
	unnoticed = 200 * time.Millisecond
)

// farewell is the end of a command that talks to a server. What it waits for then, it waits for as
// long as there is hope, and nobody interrupts once more.
type farewell struct {
	notes  io.Writer
	now    <-chan struct{} // closed by a second interrupt
	client *client.Client  // set once it is connected
	told   bool            // that it waits
}

// hopeless reports whether nothing will come any more that is worth the time of somebody who wants to leave.
func (w *farewell) hopeless(ctx context.Context) bool {
	return ctx.Err() != nil && w.client.State().Phase != client.Online
}

// news waits for done, which news of what was taken will close.
func (w *farewell) news(ctx context.Context, done <-chan struct{}) {
	w.wait(ctx, done, lastNews, func() bool { return w.hopeless(ctx) },
		fmt.Sprintf("interrupted: waiting up to %s for news of what was taken; again to stop now",
			span(lastNews+closeTime)))
}

// leave closes the client, and reports whether that is done. What was taken is taken, and an error
// is told already, so its own does not matter. A peer who does not answer it leaves behind in time
// to tell the server, which else would keep the session, and count it, until its grace is over.
func (w *farewell) leave(ctx context.Context) (done bool) {
	well := ctx.Err() == nil && w.client.State().Phase == client.Online
	hopeless := w.hopeless(ctx) // closing, it is not online any more
	patient, hurry := context.WithCancel(context.Background())
	defer hurry()
	closed := make(chan struct{})
	go func() { // stops within some seconds, or with the process
		defer close(closed)
		_ = w.client.CloseContext(patient, channel.CodeClosed, "")
	}()
	if well {
		select {
		case <-closed:
			return true
		case <-ctx.Done():
		}
	}
	if w.wait(ctx, closed, closeTime-lastWord, func() bool { return hopeless },
		fmt.Sprintf("interrupted: waiting up to %s for the other side to hear of it; again to stop now",
			span(closeTime))) {
		return true
	}
	if hopeless {
		return false
	}
	hurry()
	select {
	case <-closed:
		return true
	case <-time.After(lastWord):
		return false
	}
}

// wait waits for done, at most so long, and reports whether it came. If somebody has interrupted it
// tells what it waits for, once, and stops when there is no hope.
func (w *farewell) wait(ctx context.Context, done <-chan struct{}, most time.Duration, hopeless func() bool,
	what string) bool {
	end, look := time.NewTimer(most), time.NewTicker(unnoticed)
	defer end.Stop()
	defer look.Stop()
	for !hopeless() {
		select {
		case <-done:
			return true
		case <-look.C:
			if !w.told && ctx.Err() != nil && errors.Is(ended(ctx), errInterrupted) {
				w.told = true
				fmt.Fprintln(w.notes, what)
			}
		case <-w.now:
			return false
		case <-end.C:
			return false
		}
	}
	return false
}
