package channel

import (
	"context"
	"fmt"
	"reflect"

	"github.com/pysock/pysock/keys"
)

// A Typed is a channel whose messages are values of type T, sent as CBOR. It is defined once, with
// [Of], and used at both ends. It holds nothing but the name: copy it as you like, use it from any
// goroutine.
//
// T may be anything that [Marshal] takes; with any, messages hold what [Message.Value] gives.
type Typed[T any] struct {
	name string
}

// Of defines a typed channel. It panics if name is not a channel name, which is a mistake of the program.
func Of[T any](name string) Typed[T] {
	if err := keys.CheckChannel(name); err != nil {
		panic(fmt.Sprintf("channel: no channel of %v: %v", reflect.TypeFor[T](), err))
	}
	return Typed[T]{name}
}

// Name gives the channel's name.
func (c Typed[T]) Name() string { return c.name }

// Message gives v as a message of the channel, to be sent by SendMessage, or to many. The error is Marshal's.
func (c Typed[T]) Message(v T) (*Message, error) {
	body, err := Marshal(v)
	if err != nil {
		return nil, err
	}
	return &Message{Channel: c.name, Body: body, Encoding: CBOR}, nil
}

// Send sends v, waiting as [Conn].Send does. The error is Marshal's, with nothing sent, or the Conn's.
func (c Typed[T]) Send(ctx context.Context, to Conn, v T) error {
	m, err := c.Message(v)
	if err != nil {
		return err
	}
	return to.SendMessage(ctx, m)
}

// Handle registers h for the channel, as r.Handle does. h is not called for a message whose body is
// not a T: that is a *[DecodeError], for [Mux.OnError] or the log. Who sent such a request is told
// CodeBadMessage, and nothing about the types of this end. A request is answered when h returns,
// with its error or with an empty body; use [Respond] to answer with a value.
func (c Typed[T]) Handle(r Registrar, h func(ctx context.Context, from Conn, v T) error) {
	if h == nil {
		panic(fmt.Sprintf("channel: nil handler for %q", c.name))
	}
	r.Handle(c.name, func(ctx context.Context, from Conn, m *Message) error {
		v, err := c.Decode(m)
		if err != nil {
			return err
		}
		return h(ctx, from, v)
	})
}

// Decode gives the value of a message that Receive returned. It does not look at m.Channel. The error is that of
// [Message.Decode], with a zero T.
func (c Typed[T]) Decode(m *Message) (T, error) { return decode[T](m) }

func decode[T any](m *Message) (T, error) {
	var v T
	if err := m.Decode(&v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}
