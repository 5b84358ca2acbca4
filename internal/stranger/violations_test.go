package stranger

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inject sends frames past all rules.
func inject(l *Link, frames ...*frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range frames {
		if f.kind == frameOpen {
			l.addStream(f, true)
		}
		if f.kind == frameChannel {
			l.outByNumber = append(l.outByNumber, &outChannel{number: f.id, sent: 1 << 40, allowed: initialCredit})
		}
		l.enqueue(f)
	}
}

var (
	whole      = byte(flagFirst | flagLast)
	openTake   = &frame{kind: frameChannel, id: 1, name: "take"}
	openFiles  = &frame{kind: frameOpen, id: 1, name: "files"}
	longBody   = pattern(15996)
	messageOne = &frame{kind: frameMessage, flags: whole, id: 1, body: []byte("x")}
)

func data(id uint32, n int) *frame { return &frame{kind: frameData, id: id, body: pattern(n)} }

func requestWait(id uint32) *frame {
	return &frame{kind: frameMessage, flags: whole | flagRequest, id: 1, request: id, allowance: 65536}
}

// Every sequence breaks a rule of the document that needs the state of a link.
var violations = map[string][]*frame{
	"8: channel out of order":         {{kind: frameChannel, id: 2, name: "take"}},
	"8: channel name twice":           {openTake, {kind: frameChannel, id: 2, name: "take"}},
	"8: channel number twice":         {openTake, {kind: frameChannel, id: 1, name: "other"}},
	"8: no such kind":                 {{kind: frameChannel, id: 1, of: 3, name: "take"}},
	"8: group message without a head": {{kind: frameChannel, id: 1, of: kindGroup, name: "take"}, messageOne},
	"8: request to a group":           {{kind: frameChannel, id: 1, of: kindGroup, name: "take"}, requestWait(5)},
	"8: gap of nothing":               {openTake, {kind: frameGap, id: 1}},
	"8: gap on no channel":            {{kind: frameGap, id: 1, number: 1}},
	"8: gap within a message": {openTake, {kind: frameMessage, flags: flagFirst, id: 1, total: 20000, body: longBody},
		{kind: frameGap, id: 1, number: 1}},
	"8: message on no channel":       {messageOne},
	"8: later frame without a first": {openTake, {kind: frameMessage, flags: flagLast, id: 1, body: []byte("x")}},
	"8: message interrupted":         {openTake, {kind: frameMessage, flags: flagFirst, id: 1, total: 20000, body: longBody}, messageOne},
	"8: body shorter than its length": {openTake, {kind: frameMessage, flags: flagFirst, id: 1, total: 20000, body: longBody},
		{kind: frameMessage, flags: flagLast, id: 1, body: []byte("x")}},
	"8: body longer than its length": {openTake, {kind: frameMessage, flags: flagFirst, id: 1, total: 16001, body: longBody},
		{kind: frameMessage, flags: flagLast, id: 1, body: pattern(6)}},
	"8: length reached without LAST": {openTake, {kind: frameMessage, flags: flagFirst, id: 1, total: 31996, body: longBody},
		{kind: frameMessage, id: 1, body: pattern(16000)}},
	"9: message without credit":          {openTake, {kind: frameMessage, flags: flagFirst, id: 1, total: 65505, body: longBody}},
	"9: announcement over max message":   {openTake, {kind: frameAnnounce, id: 1, cost: maxMessage + 1}},
	"9: announcement on no channel":      {{kind: frameAnnounce, id: 1, cost: 70000}},
	"9: probe beyond sent":               {openTake, {kind: frameProbe, id: 1, number: 1}},
	"9: probe on no channel":             {{kind: frameProbe, id: 1}},
	"9: skip beyond credit":              {openTake, {kind: frameSkip, id: 1, number: 65537}},
	"9: credit for no channel":           {{kind: frameCredit, id: 1, number: 65536}},
	"8: refuse for no channel":           {{kind: frameRefuse, id: 1, code: 17}},
	"10: answer to no request":           {{kind: frameAnswer, flags: whole, id: 1}},
	"10: announced answer to no request": {{kind: frameAnswerAnnounce, id: 1, cost: 70000}},
	"10: request id twice":               {{kind: frameChannel, id: 1, name: "wait"}, requestWait(5), requestWait(5)},
	"11: stream id skipped":              {{kind: frameOpen, id: 3, name: "files"}},
	"11: stream id of the other side":    {{kind: frameOpen, id: 2, name: "files"}},
	"11: stream id twice":                {openFiles, openFiles},
	"11: data for no stream":             {data(1, 1)},
	"11: accept for no stream":           {{kind: frameAccept, id: 2}},
	"11: stop for no stream":             {{kind: frameStop, id: 1}},
	"11: window for no stream":           {{kind: frameWindow, id: 2, number: 70000}},
	"11: reset for no stream":            {{kind: frameReset, id: 1}},
	"11: data after end":                 {openFiles, {kind: frameEnd, id: 1}, data(1, 1)},
	"11: end twice":                      {openFiles, {kind: frameEnd, id: 1}, {kind: frameEnd, id: 1}},
	"11: reset after end":                {openFiles, {kind: frameEnd, id: 1}, {kind: frameReset, id: 1}},
	"11: data beyond credit":             append([]*frame{openFiles}, slices.Repeat([]*frame{data(1, 16000)}, 66)...),
	"11: accept of one's own stream":     {openFiles, {kind: frameAccept, id: 1}},
	"11: window lowered":                 {openFiles, {kind: frameWindow, id: 1, number: 100000}, {kind: frameWindow, id: 1, number: 99999}},
	"13: progress beyond what was sent":  {{kind: frameProgress, number: 1 << 40}},
}

func violate(t *testing.T, l *Link, frames []*frame) {
	inject(l, frames...)
	_ = l.Ping(1)
	l.Close(0, "")
	<-l.Done()
	var why *Error
	if !l.closeGot || !errors.As(l.Err(), &why) || why.Code != codeProtocol || !why.Remote {
		t.Errorf("no CLOSE with code 1: %v", l.Err())
	}
}

func TestViolationsAtOurServer(t *testing.T) {
	w := newWorld(t)
	srv := w.serveOurs(ourHandlers())
	ln, err := srv.Listen("files")
	require.NoError(t, err)
	defer ln.Close()
	for name, frames := range violations {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			violate(t, w.stranger("alice", LinkConfig{}).Link, frames)
		})
	}
}

// The same to our client; streams have other numbers there.
func TestViolationsAtOurClient(t *testing.T) {
	w := newWorld(t)
	links := w.serveTheirs(LinkConfig{})
	for name, frames := range violations {
		if !strings.HasPrefix(name, "11:") {
			t.Run(name, func(t *testing.T) {
				w := *w
				w.t = t
				w.our("alice", ourHandlers())
				violate(t, <-links, frames)
			})
		}
	}
}

// What may have crossed with something else, or repeats what was said, is no
// error.
func TestTolerated(t *testing.T) {
	w := newWorld(t)
	srv := w.serveOurs(ourHandlers())
	ln, err := srv.Listen("files")
	require.NoError(t, err)
	defer ln.Close()
	closed := []*frame{openFiles, {kind: frameStop, id: 1}, {kind: frameEnd, id: 1}}
	for name, frames := range map[string][]*frame{
		"grant for no request":    {{kind: frameAnswerGrant, id: 7}},
		"cancel for no request":   {{kind: frameCancel, id: 7}},
		"pong for no ping":        {{kind: framePong, id: 7}},
		"window as it is":         {openFiles, {kind: frameWindow, id: 1, number: 65536}},
		"stop twice":              {openFiles, {kind: frameStop, id: 1}, {kind: frameStop, id: 1}},
		"stop of closed stream":   append(closed, &frame{kind: frameStop, id: 1}),
		"window of closed stream": append(closed, &frame{kind: frameWindow, id: 1, number: 70000}),
		"gaps":                    {openTake, {kind: frameGap, id: 1, number: 1}, {kind: frameGap, id: 1, number: 1<<64 - 1}, messageOne},
		"kinds of one name":       {openTake, {kind: frameChannel, id: 2, of: kindService, name: "take"}},
		"progress as it is":       {{kind: frameProgress}, {kind: frameProgress}},
		"probe of nothing":        {openTake, {kind: frameProbe, id: 1}},
		"probe lower than before": {openTake, messageOne, {kind: frameProbe, id: 1, number: 33}, {kind: frameProbe, id: 1, number: 1}},
		"probe in a message": {openTake, {kind: frameMessage, flags: flagFirst, id: 1, total: 20000, body: longBody},
			{kind: frameProbe, id: 1, number: 20032}},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			c := w.stranger("alice", LinkConfig{})
			inject(c.Link, slices.Clone(frames)...)
			require.NoError(t, c.Ping(1))
		})
	}
}

// A sender must not wait for PROGRESS with fewer than 65,536 bytes under way.
func TestNoProgress(t *testing.T) {
	w := newWorld(t)
	w.serveTheirs(LinkConfig{Handlers: theirHandlers(), noProgress: true})
	c := w.our("alice", nil)
	require.NoError(t, c.Send(t.Context(), "take", pattern(65_400)))
	require.NoError(t, c.Flush(t.Context()))
}
