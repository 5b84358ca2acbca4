package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/cmd/internal/cli"
	"github.com/pysock/pysock/keys"
)

// printer prints messages, one after the other, as they are taken. While it waits for a slow reader of the output the
// handlers wait too, and so do, for credit, the senders.
type printer struct {
	out        io.Writer
	notes      io.Writer // for people
	json       bool
	count      int // stop after so many; 0 for never
	knownPeers string
	enough     context.CancelCauseFunc
	ended      chan struct{} // closed when the connection has been

	mu      sync.Mutex
	printed int
	failed  error // of the output
	met     map[keys.PublicKey]bool
}

// handle prints one message. Once it is enough it does not return before the connection has been
// closed, so that what comes next is not taken, and its sender knows.
func (p *printer) handle(ctx context.Context, from channel.Conn, m *channel.Message) error {
	if p.print(from, m) {
		if m.IsRequest() {
			// If that fails who asked is gone, or will not know.
			if _, failed := p.result(); failed != nil {
				_ = m.ReplyError(channel.CodeFailed, "it could not be printed")
			} else {
				_ = m.Reply(ctx, nil)
			}
		}
		<-p.ended
	}
	return nil
}

// print reports whether it is enough.
func (p *printer) print(from channel.Conn, m *channel.Message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return true
	}
	_, pipe := from.(*client.Pipe)
	if pipe && m.From.Unverified && !p.met[m.From.Key] {
		if p.met == nil {
			p.met = make(map[keys.PublicKey]bool)
		}
		p.met[m.From.Key] = true
		fmt.Fprintf(p.notes, "%q is not in the key file; compare the fingerprint with its owner: %s (remembered in %s)\n",
			m.From.Name, m.From.Key.Fingerprint(), strconv.Quote(p.knownPeers))
	}
	switch {
	case m.Missed == 0:
	case m.Group != "": // of whoever has sent to it on the channel: a link counts them together
		fmt.Fprintf(p.notes, "messages of others to groups on the channel %q that are lost: %d\n", m.Channel, m.Missed)
	default:
		fmt.Fprintf(p.notes, "messages of %q on the channel %q that are lost: %d\n", m.From.Name, m.Channel, m.Missed)
	}
	text := textLine
	if p.json {
		text = jsonLine
	}
	if _, err := io.WriteString(p.out, text(m, pipe)+"\n"); err != nil {
		p.failed = writingError(err)
		p.enough(p.failed)
		return true
	}
	p.printed++
	if p.count > 0 && p.printed >= p.count {
		p.enough(errEnough)
		return true
	}
	return false
}

// result is how many messages were printed, and what went wrong with that.
func (p *printer) result() (printed int, failed error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.printed, p.failed
}

// textLine is a message for people. Names and channels hold no white space, but what does not print
// they may hold: characters that this version of Unicode does not know yet. Nor do they hold a
// slash, so that a line of a group, whose sender is the server's word, is none that a peer's pipe
// could give.
func textLine(m *channel.Message, _ bool) string {
	from := m.From.Name
	if m.Group != "" {
		from = m.Group + "/" + from
	}
	return cli.Escape([]byte(from)) + " " + cli.Escape([]byte(m.Channel)) + " " + cli.Escape(m.Body)
}

// jsonMessage is a message for programs.
type jsonMessage struct {
	From    string         `json:"from"`
	Key     keys.PublicKey `json:"key"`
	Channel string         `json:"channel"`
	Via     string         `json:"via"`
	Group   string         `json:"group,omitempty"`
	Body    *string        `json:"body,omitempty"`
	Base64  *string        `json:"body_base64,omitempty"`
}

func jsonLine(m *channel.Message, pipe bool) string {
	j := jsonMessage{From: m.From.Name, Key: m.From.Key, Channel: m.Channel, Via: "server", Group: m.Group}
	switch {
	case pipe:
		j.Via = "pipe"
	case m.Group != "":
		j.Via = "group"
	}
	body := string(m.Body)
	if utf8.Valid(m.Body) {
		j.Body = &body
	} else {
		body = base64.StdEncoding.EncodeToString(m.Body)
		j.Base64 = &body
	}
	return asciiControls(j)
}

// asciiControls encodes v, with everything that does not print as \u escapes: to a terminal that is
// the same as to a program.
func asciiControls(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of strings and valid keys
	}
	out := make([]byte, 0, len(data))
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case unicode.IsPrint(r):
			out = append(out, data[:n]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		data = data[n:]
	}
	return string(out)
}
