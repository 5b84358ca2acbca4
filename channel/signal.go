package channel

import (
	"context"
	"fmt"

	"github.com/pysock/pysock/keys"
)

// A Signal is a channel whose messages have no body: that they come is all they say. Like a [Typed] it is defined once,
// with [NewSignal], and used at both ends; copy it as you like, use it from any goroutine.
type Signal struct {
	name string
}

// NewSignal defines a signal. It panics if name is not a channel name, which is a mistake of the program.
func NewSignal(name string) Signal {
	if err := keys.CheckChannel(name); err != nil {
		panic(fmt.Sprintf("channel: no signal: %v", err))
	}
	return Signal{name}
}

// Name gives the channel's name.
func (s Signal) Name() string { return s.name }

// Send sends the signal, waiting as [Conn].Send does.
func (s Signal) Send(ctx context.Context, to Conn) error { return to.Send(ctx, s.name, nil) }

// Handle registers h for the channel, as r.Handle does. h is not called for a message with a body,
// which is a *[DecodeError]: who sent it as a request is told CodeBadMessage. A request without one
// is answered when h returns, with its error or with an empty body.
func (s Signal) Handle(r Registrar, h func(ctx context.Context, from Conn) error) {
	if h == nil {
		panic(fmt.Sprintf("channel: nil handler for %q", s.name))
	}
	r.Handle(s.name, func(ctx context.Context, from Conn, m *Message) error {
		if len(m.Body) > 0 {
			return m.undecoded(badMessage(fmt.Sprintf("a body of %d bytes where none is expected", len(m.Body))))
		}
		return h(ctx, from)
	})
}
