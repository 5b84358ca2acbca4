package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/pysock/pysock/client"
)

// brief is how long an interruption may last that nobody is told of, if nothing was lost by it.
const brief = time.Second

// watcher tells people about a connection that is lost, and that comes back: a line when it is
// lost, none for each attempt, and one when it is back.
type watcher struct {
	notes   io.Writer
	trying  string // what is being done about a lost connection
	renewed string // what a new session means

	session int
	first   error // what began the interruption
	last    client.State
	away    bool
	told    bool // that the connection is lost
}

// watch tells about the client until stop is called.
func (w *watcher) watch(c *client.Client) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	states, done := make(chan client.State), make(chan struct{})
	go func() { // stops with ctx or the client
		defer close(states)
		for s := range c.States(ctx) {
			select {
			case states <- s:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() { // stops with the one above
		defer close(done)
		w.run(states)
	}()
	return func() {
		cancel()
		<-done
	}
}

// lookAgain is how often a pipe is looked at.
const lookAgain = 100 * time.Millisecond

// watchPipe tells about a pipe whose peer is away, while there is a connection to the server, and
// when he is back, until stop is called.
func watchPipe(notes io.Writer, c *client.Client, p *client.Pipe) (stop func()) {
	ctx, cancel := context.WithCancel(p.Context())
	done := make(chan struct{})
	go func() { // stops with ctx
		defer close(done)
		tick := time.NewTicker(lookAgain)
		defer tick.Stop()
		told := false
		for {
			select {
			case <-tick.C:
				told = tellPipe(notes, p.Peer().Name, told, c.State(), p.Away)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// tellPipe tells what has become of a pipe since the last time, and reports whether people know
// that the peer is away. As long as there is no connection, or a new one is not brief old, the pipe
// has no news of its own.
func tellPipe(notes io.Writer, peer string, told bool, s client.State, look func() (time.Time, bool)) bool {
	since, away := look()
	switch {
	case !away && told:
		fmt.Fprintf(notes, "%q is back\n", peer)
	case away && !told && s.Phase == client.Online && time.Since(s.Since) >= brief && time.Since(since) >= brief:
		fmt.Fprintf(notes, "%q is not connected any more; trying again\n", peer)
		return true
	}
	return told && away
}

// run tells about states until there are no more.
func (w *watcher) run(states <-chan client.State) {
	timer := time.NewTimer(brief)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case s, ok := <-states:
			if !ok {
				return
			}
			switch s.Phase {
			case client.Online:
				timer.Stop()
				w.back(s)
			case client.Resuming, client.Connecting:
				if !w.away {
					w.away, w.first = true, s.Err
					timer.Reset(brief)
				}
				w.last = s
				if s.Phase == client.Connecting {
					w.lost() // the session is, so this will not pass unnoticed
				}
			case client.Offline: // why is for the command to tell
				timer.Stop()
			}
		case <-timer.C:
			w.lost()
		}
	}
}

// lost tells that the connection is lost, once.
func (w *watcher) lost() {
	if w.told {
		return
	}
	w.told = true
	fmt.Fprintf(w.notes, "connection lost (%s); %s\n", w.reason(), w.trying)
}

// reason says why the connection is lost, and why it is not back.
func (w *watcher) reason() string {
	reason := lossReason(w.first)
	if why := attemptReason(w.last.Address, w.last.Err); why != "" {
		reason += ", and " + why
	}
	return reason
}

// back tells that there is a connection again, if there was none for so long that it was told of,
// or if something may have been lost.
func (w *watcher) back(s client.State) {
	anew := w.session != 0 && s.Session > w.session
	switch {
	case anew && !w.told:
		fmt.Fprintf(w.notes, "connection lost (%s), and connected again in a new session; %s\n", w.reason(), w.renewed)
	case anew:
		fmt.Fprintf(w.notes, "connected again in a new session; %s\n", w.renewed)
	case w.told:
		fmt.Fprintln(w.notes, "connected again, nothing lost")
	}
	w.session, w.away, w.told, w.first, w.last = s.Session, false, false, nil, client.State{}
}
