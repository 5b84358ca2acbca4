package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/secure"
)

// errRefusedDial is what an attempt to connect to a port that nobody listens on ends with.
var errRefusedDial = fmt.Errorf("connecting to the server: %w",
	&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})

func TestWatcher(t *testing.T) {
	cut := &secure.TruncatedError{During: "stream"}
	online := client.State{Phase: client.Online, Session: 1, Address: "hub:7700"}
	again := client.State{Phase: client.Online, Session: 2, Address: "hub:7700"}
	resuming := client.State{Phase: client.Resuming, Session: 1, Address: "hub:7700", Err: cut}
	failed := client.State{Phase: client.Resuming, Session: 1, Address: "hub:7700", Err: errRefusedDial}
	down := client.State{Phase: client.Connecting, Session: 1, Address: "hub:7700", Err: &channel.CloseError{Code: channel.CodeShutdown}}
	offline := client.State{Phase: client.Offline, Session: 1, Err: cut}
	const lost, back, anew = "connection lost (it ended without a goodbye); trying\n", "connected again, nothing lost\n",
		"connected again in a new session; mind\n"
	const both = "connection lost (it ended without a goodbye), and " + anew
	type step struct {
		after time.Duration
		state client.State
	}
	for name, c := range map[string]struct {
		steps []step
		want  string
	}{
		"nothing":     {[]step{{0, online}}, ""},
		"brief":       {[]step{{0, online}, {0, resuming}, {brief / 2, failed}, {brief/2 - 1, online}, {time.Hour, online}}, ""},
		"brief twice": {[]step{{0, online}, {0, resuming}, {brief - 1, online}, {0, resuming}, {brief - 1, online}}, ""},
		"long":        {[]step{{0, online}, {0, resuming}, {time.Hour, online}}, lost + back},
		"not one each": {[]step{{0, online}, {0, resuming}, {time.Minute, failed}, {time.Minute, resuming}, {time.Minute, failed},
			{0, online}}, lost + back},
		"attempts": {[]step{{0, online}, {0, resuming}, {0, failed}, {time.Hour, online}},
			"connection lost (it ended without a goodbye, and nothing answers at \"hub:7700\"); trying\n" + back},
		"two interruptions": {[]step{{0, online}, {0, resuming}, {time.Hour, online}, {0, resuming}, {time.Hour, online}},
			lost + back + lost + back},
		"restart at once": {[]step{{0, online}, {0, resuming}, {0, again}}, both},
		"restart twice": {[]step{{0, online}, {0, resuming}, {time.Hour, online}, {0, again}},
			lost + back + "connection lost (it ended), and " + anew},
		"restart":       {[]step{{0, online}, {0, resuming}, {time.Hour, again}, {0, again}}, lost + anew},
		"shutdown":      {[]step{{0, online}, {0, down}, {0, again}}, "connection lost (the server is shutting down); trying\n" + anew},
		"grace over":    {[]step{{0, online}, {0, resuming}, {time.Hour, down}, {0, again}}, lost + anew},
		"missed it all": {[]step{{0, online}, {0, again}}, "connection lost (it ended), and " + anew},
		"end":           {[]step{{0, online}, {0, resuming}, {0, offline}, {time.Hour, offline}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				w := &watcher{notes: &b, trying: "trying", renewed: "mind"}
				states, done := make(chan client.State), make(chan struct{})
				go func() {
					defer close(done)
					w.run(states)
				}()
				for _, s := range c.steps {
					<-time.After(s.after)
					states <- s.state
				}
				close(states)
				<-done
				assert.Equal(t, c.want, b.String())
			})
		})
	}
}

func TestTellPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		online, since, away := client.State{Phase: client.Online, Since: time.Now()}, time.Time{}, false
		look := func() (time.Time, bool) { return since, away }
		told := false
		for i, step := range []struct {
			after time.Duration
			phase client.Phase
			away  bool
			want  string
		}{
			{time.Hour, client.Online, false, ""},
			{0, client.Online, true, ""},
			{brief - 1, client.Online, true, ""},
			{0, client.Online, false, ""}, // that was brief
			{0, client.Resuming, true, ""},
			{time.Hour, client.Resuming, true, ""}, // of that the other watcher tells
			{0, client.Online, true, ""},
			{brief, client.Online, true, "\"bob\" is not connected any more; trying again\n"},
			{time.Hour, client.Online, true, ""},
			{0, client.Resuming, true, ""},
			{0, client.Online, false, "\"bob\" is back\n"},
			{time.Hour, client.Online, false, ""},
		} {
			<-time.After(step.after)
			if step.phase != online.Phase {
				online.Phase, online.Since = step.phase, time.Now()
			}
			if step.away != away {
				away, since = step.away, time.Now()
			}
			b.Reset()
			told = tellPipe(&b, "bob", told, online, look)
			assert.Equal(t, step.want, b.String(), i)
		}
	})
}

func TestAttemptReason(t *testing.T) {
	for want, err := range map[string]error{
		`nothing answers at "hub:7700"`:   errRefusedDial,
		`there is no way to "hub:7700"`:   &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)},
		`the name "hub" does not resolve`: &net.OpError{Op: "dial", Err: &net.DNSError{Name: "hub"}},
		`"hub:7700" does not answer`:      &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded},
		`"hub:7700" refuses: busy`:        &channel.Error{Code: channel.CodeBusy, Remote: true},
		"":                                &secure.TruncatedError{During: "stream"},
	} {
		assert.Equal(t, want, attemptReason("hub:7700", err))
	}
	assert.Equal(t, `"hub:7700" does not answer`, attemptReason("hub:7700", fmt.Errorf("x: %w", secure.ErrTimeout)))
	assert.Empty(t, attemptReason("hub:7700", nil))
}

func TestLossReason(t *testing.T) {
	assert.Equal(t, "it ended", lossReason(nil))
	assert.Equal(t, "it was reset", lossReason(fmt.Errorf("read: %w", syscall.ECONNRESET)))
	assert.Equal(t, `ended by the server: "a\nb"`, lossReason(&channel.CloseError{Code: channel.CodeKicked, Text: "a\nb"}))
	assert.Equal(t, "broken", lossReason(&channel.LostError{Err: errors.New("broken")}))
}

func TestSendErrorOfLostSessions(t *testing.T) {
	gone := &channel.GapError{Sent: 2, Taken: 1, Err: &channel.LostError{Err: &channel.CloseError{Code: channel.CodeGone}}}
	for want, err := range map[string]error{
		`"bob" is gone: its connection to the server has ended`:                                                   gone,
		"the server has lost our session: it was started again, or we were away for too long":                     &channel.GapError{Err: &channel.LostError{Err: &client.SessionLostError{Err: &channel.Error{Code: channel.CodeNoSession, Remote: true}}}},
		"the server could not be reached for 2m, as long as it keeps a session":                                   &channel.GapError{Err: &channel.LostError{Err: &client.SessionLostError{Grace: 2 * time.Minute, Err: errRefusedDial}}},
		"the server closed the connection: the server is shutting down":                                           &channel.GapError{Err: &channel.LostError{Err: &channel.CloseError{Code: channel.CodeShutdown}}},
		`"bob" closed the connection: ended by the server`:                                                        &channel.GapError{Err: &channel.CloseError{Code: channel.CodeKicked}}, // he says so
		`"bob" closed the connection`:                                                                             &channel.CloseError{},
		`there is no connection to "bob" at the moment: try again`:                                                client.ErrOffline,
		`the connection to "bob" was lost: too long: connecting to the server: dial: connect: connection refused`: &channel.LostError{Err: fmt.Errorf("too long: %w", errRefusedDial)},
	} {
		assert.EqualError(t, (&exchange{to: "bob", channel: "log"}).sendError(t.Context(), err), want)
	}
	several := &exchange{clientFlags: clientFlags{several: true}}
	lost := &channel.LostError{Err: &client.SessionLostError{Err: &channel.Error{Code: channel.CodeNoSession, Remote: true}}}
	assert.EqualError(t, several.sendError(t.Context(), lost),
		"the server has lost our session: it was started again, or we were away for too long, or another server answers at another of its addresses")
}

func TestSpan(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1s": time.Second, "2m": 2 * time.Minute, "1m30s": 90 * time.Second, "24h": 24 * time.Hour, "1h30m": 90 * time.Minute,
		"1h0m1s": time.Hour + time.Second,
		"10m":    10 * time.Minute, "10h": 10 * time.Hour,
	} {
		assert.Equal(t, want, span(d))
	}
}

func TestPrinterTellsWhatIsMissing(t *testing.T) {
	var out, notes bytes.Buffer
	p := &printer{out: &out, notes: &notes}
	m := &channel.Message{Channel: "news", From: &channel.Peer{Name: "alice"}, Body: []byte("five"), Missed: 3}
	assert.False(t, p.print(nil, m))
	assert.Equal(t, "alice news five\n", out.String())
	assert.Equal(t, "messages of \"alice\" on the channel \"news\" that are lost: 3\n", notes.String())

	// On a group channel the link counts what anybody has sent.
	notes.Reset()
	m.Group = "red"
	assert.False(t, p.print(nil, m))
	assert.Equal(t, "messages of others to groups on the channel \"news\" that are lost: 3\n", notes.String())
}
