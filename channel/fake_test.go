package channel_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime/debug"

	"github.com/pysock/pysock/channel"
)

// loop is a Conn whose other end is a Mux in the same goroutine: a call returns when the handler
// has. It treats handlers, their errors and their panics as internal/link does.
type loop struct {
	mux    *channel.Mux
	logged []error // what handlers of plain messages returned, and of requests after they had answered
	sent   []*channel.Message
}

var _ channel.Conn = (*loop)(nil)

func (c *loop) Peer() channel.Peer       { return channel.Peer{Name: "loop"} }
func (c *loop) Context() context.Context { return context.Background() }

func (c *loop) Flush(context.Context) error { return nil }
func (c *loop) Close() error                { return nil }

func (c *loop) CloseWithReason(channel.Code, string) error { return nil }

func (c *loop) OpenStream(context.Context, string) (net.Conn, error) {
	return nil, &channel.Error{Code: channel.CodeNoListener, Remote: true}
}

func (c *loop) Send(ctx context.Context, name string, body []byte) error {
	return c.SendMessage(ctx, &channel.Message{Channel: name, Body: body})
}

func (c *loop) SendAcked(ctx context.Context, name string, body []byte) error {
	return c.Send(ctx, name, body)
}

func (c *loop) SendMessage(ctx context.Context, m *channel.Message) error {
	m, h, err := c.arrive(m)
	if err != nil {
		return err
	}
	if err := c.call(ctx, h, m); err != nil && !c.mux.Report(channel.ErrorEvent{Conn: c, Message: m, Err: err}) {
		c.logged = append(c.logged, err)
	}
	return nil
}

func (c *loop) Request(ctx context.Context, name string, body []byte) (*channel.Message, error) {
	return c.RequestMessage(ctx, &channel.Message{Channel: name, Body: body})
}

func (c *loop) RequestMessage(ctx context.Context, m *channel.Message) (*channel.Message, error) {
	m, h, err := c.arrive(m)
	if err != nil {
		return nil, err
	}
	a := &answer{message: &channel.Message{Channel: m.Channel}}
	err = c.call(ctx, h, channel.NewRequest(m, a))
	hooked := err != nil && c.mux.Report(channel.ErrorEvent{Conn: c, Message: m, Err: err})
	switch {
	case err != nil && !a.done:
		a.err = remote(err)
	case err != nil && !hooked:
		c.logged = append(c.logged, err)
	}
	if a.err != nil {
		return nil, a.err
	}
	return a.message, nil
}

// arrive is the message as it comes out at the other end, and its handler.
func (c *loop) arrive(m *channel.Message) (*channel.Message, channel.Handler, error) {
	c.sent = append(c.sent, m)
	route := c.mux.Route(m.Channel)
	if route == nil {
		return nil, nil, &channel.Error{Code: channel.CodeNoHandler, Remote: true}
	}
	return &channel.Message{
		Channel:  m.Channel,
		Body:     bytes.Clone(m.Body),
		Encoding: m.Encoding,
		From:     &channel.Peer{Name: "loop"},
	}, route.Handler, nil
}

func (c *loop) call(ctx context.Context, h channel.Handler, m *channel.Message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &channel.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h(ctx, c, m)
}

func remote(err error) error {
	var e *channel.Error
	var code channel.Code
	switch {
	case errors.As(err, &e):
		return &channel.Error{Code: e.Code, Text: e.Text, Remote: true}
	case errors.As(err, &code):
		return &channel.Error{Code: code, Remote: true}
	}
	return &channel.Error{Code: channel.CodeFailed, Text: err.Error(), Remote: true}
}

// answer takes the one answer of a request.
type answer struct {
	message *channel.Message
	err     error
	done    bool
}

func (a *answer) Answer(_ context.Context, enc channel.Encoding, body []byte) error {
	if a.done {
		return channel.ErrAnswered
	}
	a.done = true
	a.message.Encoding, a.message.Body = enc, bytes.Clone(body)
	return nil
}

func (a *answer) AnswerError(code channel.Code, text string) error {
	if a.done {
		return channel.ErrAnswered
	}
	a.done = true
	a.err = &channel.Error{Code: code, Text: text, Remote: true}
	return nil
}
