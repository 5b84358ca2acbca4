package client

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/durable"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wire"
)

// connection is a durable.Conn whose errors are what callers are to get: those of calls that send
// no message have no gap in them, and in those of the client's own the end of a session can be told
// with ErrSessionLost. A pipe's have that from the stream that carries it.
type connection struct {
	*durable.Conn
	sessions bool // its links are sessions
}

// said is what a call that sends messages returns.
func (c connection) said(ctx context.Context, err error) error {
	if err == nil || !c.sessions || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return sessionLost(err)
}

// bare is what any other returns: what became of messages is not its caller's business, and is told to who sends some.
func (c connection) bare(ctx context.Context, err error) error { return c.said(ctx, withoutGap(err)) }

func withoutGap(err error) error {
	if gap, ok := err.(*channel.GapError); ok {
		return gap.Err
	}
	return err
}

func (c connection) Send(ctx context.Context, name string, enc channel.Encoding, body []byte) error {
	return c.said(ctx, c.Conn.Send(ctx, name, enc, body))
}

func (c connection) SendAcked(ctx context.Context, name string, enc channel.Encoding, body []byte) error {
	return c.said(ctx, c.Conn.SendAcked(ctx, name, enc, body))
}

func (c connection) Flush(ctx context.Context) error { return c.said(ctx, c.Conn.Flush(ctx)) }

func (c connection) Receive(ctx context.Context, channels ...string) (*channel.Message, error) {
	m, err := c.Conn.Receive(ctx, channels...)
	return m, c.bare(ctx, err)
}

func (c connection) Request(ctx context.Context, name string, enc channel.Encoding,
	body []byte) (*channel.Message, error) {
	m, err := c.Conn.Request(ctx, name, enc, body)
	return m, c.bare(ctx, err)
}

func (c connection) RequestService(ctx context.Context, name string, body []byte) (*channel.Message, error) {
	m, err := c.Conn.RequestService(ctx, name, body)
	return m, c.bare(ctx, err)
}

func (c connection) Ping(ctx context.Context) (time.Duration, error) {
	took, err := c.Conn.Ping(ctx)
	return took, c.bare(ctx, err)
}

func (c connection) OpenStream(ctx context.Context, name string) (net.Conn, error) {
	s, err := c.Conn.OpenStream(ctx, name)
	switch {
	case err != nil:
		return nil, c.bare(ctx, err) // not s, which would be a net.Conn that is not nil
	case c.sessions:
		return sessionStream{s}, nil
	}
	return s, nil
}

// OpenPipe is of the client's own connection.
func (c connection) OpenPipe(open wire.PipeOpen) (sessionStream, error) {
	s, err := c.Conn.OpenPipe(open)
	return sessionStream{s}, c.bare(context.Background(), err)
}

// sessionStream is a stream of a session, also one that carries a pipe: if it ends because the
// session does, its errors say so.
type sessionStream struct{ *link.Stream }

func (s sessionStream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	return n, s.said(err)
}

func (s sessionStream) Write(p []byte) (int, error) {
	n, err := s.Stream.Write(p)
	return n, s.said(err)
}

func (s sessionStream) said(err error) error {
	if err == nil || !s.Link().Ended(err) {
		return err // it may be a *channel.CloseError of the stream's own
	}
	return sessionLost(err)
}

// sessionListener gives streams of sessions.
type sessionListener struct{ net.Listener }

func (l sessionListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if s, ok := conn.(*link.Stream); ok {
		return sessionStream{s}, err
	}
	return conn, err
}
