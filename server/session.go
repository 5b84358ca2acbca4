package server

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/secure"
)

// A Session is a client's connection, seen from the server. It is a channel.Conn, and its methods may be called by several
// goroutines at once. What the client sends goes to the server's handlers.
type Session struct {
	server      *Server
	peer        channel.Peer
	isTransient bool
	since       time.Time
	link        *link.Link // set before the session can be found
	pipes       atomic.Int64
	cut         bool // guarded by server.mu: the server cuts it
}

var _ channel.Conn = (*Session)(nil)

// begin makes the session's link. It is called before the verdict goes out, and must not write.
func (s *Session) begin(conn *secure.Conn, peerMax uint32) {
	srv := s.server
	s.link = link.New(conn, &link.Config{
		Peer: &s.peer, From: s, Mux: srv.Handler, Listeners: &srv.listeners, OpenPipe: s.openPipe,
		MaxMessage: srv.maxMessage(), PeerMaxMessage: peerMax,
		MaxChannels: srv.limits.MaxChannels, MaxStreams: srv.limits.MaxStreams, StreamWindow: srv.limits.StreamWindow,
		Logger: srv.logger(),
	})
	code := srv.enterSession(s)
	context.AfterFunc(s.link.Context(), func() {
		srv.leave(s)
		<-s.link.Done() // a few seconds at most
		srv.disconnected(s)
		s.link.Wait() // as long as handlers take
		srv.ended(s)
	})
	if code != 0 {
		s.link.Kick(code, "") // before Run, so that no handler is called
		return
	}
	s.link.Run()
}

// Peer is the client.
func (s *Session) Peer() channel.Peer { return s.peer }

// Context is done when the session is; context.Cause says why.
func (s *Session) Context() context.Context { return s.link.Context() }

// Transient reports whether the client asked for a session of one errand, which cannot be found by its name.
func (s *Session) Transient() bool { return s.isTransient }

// Since is when the client was let in.
func (s *Session) Since() time.Time { return s.since }

// Send sends body to the client on a channel; see channel.Conn.
func (s *Session) Send(ctx context.Context, name string, body []byte) error {
	return s.link.Send(ctx, name, channel.Raw, body)
}

// SendMessage sends a message to the client; see channel.Conn.
func (s *Session) SendMessage(ctx context.Context, m *channel.Message) error {
	return s.link.Send(ctx, m.Channel, m.Encoding, m.Body)
}

// Flush waits until the client's application has taken everything sent before; see channel.Conn.
func (s *Session) Flush(ctx context.Context) error { return s.link.Flush(ctx) }

// Request asks the client and waits for the answer; see channel.Conn.
func (s *Session) Request(ctx context.Context, name string, body []byte) (*channel.Message, error) {
	return s.link.Request(ctx, name, channel.Raw, body)
}

// RequestMessage asks the client and waits for the answer; see channel.Conn.
func (s *Session) RequestMessage(ctx context.Context, m *channel.Message) (*channel.Message, error) {
	return s.link.Request(ctx, m.Channel, m.Encoding, m.Body)
}

// OpenStream opens a stream to the client's Listen of that name; see channel.Conn.
func (s *Session) OpenStream(ctx context.Context, name string) (net.Conn, error) {
	st, err := s.link.OpenStream(ctx, name)
	if err != nil {
		return nil, err // not st, which would be a net.Conn that is not nil
	}
	return st, nil
}

// Ping measures the time to the client and back.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) { return s.link.Ping(ctx) }

// Close sends what Send accepted and ends the session; see channel.Conn.
func (s *Session) Close() error { return s.CloseWithReason(channel.CodeClosed, "") }

// CloseWithReason is Close with a code, such as CodeKicked, and a text of at most 255 bytes that the client sees.
func (s *Session) CloseWithReason(code channel.Code, text string) error {
	return s.link.Close(code, text)
}
