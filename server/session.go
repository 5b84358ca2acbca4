package server

import (
	"container/list"
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/resume"
	"github.com/pysock/pysock/internal/wakeup"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// A Session is what the server has of a client, from its welcome until it has left. It is a
// channel.Conn, and its methods may be called by several goroutines at once. What the client sends
// goes to the server's handlers.
//
// A session outlives its connection if the client can resume, as those of this module do: when the
// connection is lost the client is *away*, for Server.Grace at most. Its name stays taken, its
// pipes stay open and new ones may be opened to it, and what is sent to it waits, as for a client
// that reads slowly. When it comes back everything goes on, and nothing is lost. It has *left* when
// its Context is done: it or the server closed the session, a newer one of the same key has
// replaced it, or it was away for too long. Then its pipes have ended with CodeGone.
type Session struct {
	server      *Server
	key         keys.PublicKey
	own         string                       // the name that it came with: nobody else has it as long as the session lives, whatever its name is now
	fold        string                       // of own, by foldName
	now         atomic.Pointer[channel.Peer] // what it points to does not change; stored with server.mu held
	isTransient bool
	since       time.Time
	instance    instanceOf
	ran         chan struct{} // closed when OnJoin has returned, and handlers may be called
	over        chan struct{} // closed when nothing is left of the session: its handlers have returned
	pipes       atomic.Int64
	unanswered  unanswered
	resumed     atomic.Uint64 // see SessionStats, as for the next two
	refused     atomic.Uint64 // of ResumesRefused
	dropped     atomic.Uint64
	slots       slots // of what the services do for it
	told        told  // of what the client is told about itself
	openers     openers
	fromServer  overflow    // what the application sent to many
	fromClients overflow    // what other clients sent to groups
	slow        atomic.Bool // it has not taken what waits in fromServer in time, and its session is being ended
	unhandled   error       // the client had no handler for what waited in fromServer, whose mu guards it: for Flush

	// What follows is set before the session can be found.
	link    *link.Link
	peerMax uint32         // the largest message cost that the client accepts
	books   *instanceBooks // nil without an instance
	record  [wire.IDSize]byte

	// For a session that outlives its connection; else conn is nil.
	resumable bool
	id        [wire.IDSize]byte
	secret    resume.Secret
	conn      *resume.Conn

	// Guarded by server.mu.
	attempt   uint64         // of the token that was last taken up
	handovers int            // resumes that have been taken up and are not decided
	awaySince time.Time      // if place is not nil
	place     *list.Element  // among those that are away and may come back
	timer     *time.Timer    // ends the session when grace is over; nil before it was away
	farewell  *channel.Error // what the client is to be told if it comes back after the application has closed the session
	reason    *channel.Error // why this side ends it, see endOf; nil if it does not
	ending    bool           // the server ends it: see ending.go
	cut       bool           // its link is cut, without a word
	yields    bool           // its place is promised to another, and it is not counted any more
	runFold   string         // foldName of the name that it has taken at run time; empty for none
	member    []membership   // of the groups that it is found in
	awayTold  bool           // what others were told of it last
	notes     []note         // what the application is to be told of it
	telling   bool           // hooks are being called of that
	hooksIdle wakeup.Bell    // telling is not any more
}

var _ channel.Conn = (*Session)(nil)

// begin makes the session's link. It is called before the verdict goes out, and must not write.
func (s *Session) begin(conn *secure.Conn, peerMax uint32) {
	srv := s.server
	if s.resumable {
		var err error
		if s.secret, err = resume.NewSecret(conn); err != nil {
			conn.CloseNow() // the client hears nothing, and the session does not begin
			return
		}
	}
	code := srv.enterSession(s, conn, peerMax)
	context.AfterFunc(s.link.Context(), func() {
		defer srv.toOver(s)
		srv.toLeft(s)
		<-s.link.Done() // a few seconds at most
		srv.toDisconnected(s)
		<-s.ran
		s.link.Wait() // as long as handlers take
		s.told.wait()
		s.fromServer.close()
		s.fromClients.close()
		if code == 0 {
			srv.tellLeft(s)
		}
	})
	if code != 0 {
		s.link.Kick(code, "") // before Run, so that no handler is called
		close(s.ran)
		return
	}
	srv.tellJoined(s)
}

// makeLink makes the link over a connection, with the books of its instance if it is the newest
// of that. Call it with server.mu held: who finds the session finds all of it.
func (s *Session) makeLink(conn *secure.Conn, peerMax uint32, newest bool) {
	srv := s.server
	s.peerMax = peerMax
	var below net.Conn = conn
	if s.resumable {
		s.conn = resume.New(conn, &resume.Config{Buffer: srv.limits.ResumeBuffer, Idle: srv.keepAlive(),
			Timeout: keepAliveTimeout, Lost: s.lost})
		below = s.conn
	}
	cfg := &link.Config{
		Peer: s.now.Load(), From: s, Mux: srv.Handler, Services: srv.services, Listeners: &srv.listeners,
		OpenPipe:   s.openPipe,
		MaxMessage: srv.maxMessage(), PeerMaxMessage: peerMax,
		MaxChannels: srv.limits.MaxChannels, MaxStreams: srv.limits.MaxStreams, StreamWindow: srv.limits.StreamWindow,
		MaxQueued: srv.limits.SendQueue, MaxServices: maxServices,
		Logger: srv.logger(),
	}
	if newest && s.books != nil {
		cfg.Books = s.books.Books
	}
	s.link = link.New(below, cfg)
}

// Peer is the client, under the name and with the groups that it has now: see Rename and JoinGroup.
// Its Addr is where it came from first, and stays so when it goes on from somewhere else.
// Message.From of what it sends is the same, as it was when the message came.
func (s *Session) Peer() channel.Peer { return *s.now.Load() }

// become makes the session's client what p says, which must not change any more, here and for its
// handlers, and has it told. Call it with server.mu held.
func (s *Session) become(p *channel.Peer) {
	s.now.Store(p)
	s.link.SetPeer(p)
	s.tellSelf()
}

// Context is done when the session is, not when the client is away; context.Cause says why. For a
// client that was away for too long that is a *channel.LostError with CodeTimeout.
func (s *Session) Context() context.Context { return s.link.Context() }

// Transient reports whether the client asked for a session of one errand, which cannot be found by its name.
func (s *Session) Transient() bool { return s.isTransient }

// Since is when the client was let in.
func (s *Session) Since() time.Time { return s.since }

// Away reports whether the client's connection is lost and may yet be resumed, and since when. A
// session that has ended is not away, and one without resume never is.
func (s *Session) Away() (since time.Time, away bool) {
	if s.conn == nil || s.link.Context().Err() != nil {
		return time.Time{}, false
	}
	return s.conn.Away()
}

// RoundTrip is how long a packet took to the client and back when that was last measured; 0 if it
// was not, and without resume. It costs nothing: see Ping to measure now.
func (s *Session) RoundTrip() time.Duration {
	if s.conn == nil {
		return 0
	}
	return s.conn.RoundTrip()
}

// Send sends body to the client on a channel; see channel.Conn.
func (s *Session) Send(ctx context.Context, name string, body []byte) error {
	if err := s.awaitEarlier(ctx, name); err != nil {
		return err
	}
	return s.link.Send(ctx, name, channel.Raw, body)
}

// SendAcked sends body and waits until the client's application has taken it; see channel.Conn.
func (s *Session) SendAcked(ctx context.Context, name string, body []byte) error {
	if err := s.awaitEarlier(ctx, name); err != nil {
		return err
	}
	return s.link.SendAcked(ctx, name, channel.Raw, body)
}

// SendMessage sends a message to the client; see channel.Conn.
func (s *Session) SendMessage(ctx context.Context, m *channel.Message) error {
	if err := s.awaitEarlier(ctx, m.Channel); err != nil {
		return err
	}
	return s.link.Send(ctx, m.Channel, m.Encoding, m.Body)
}

// Flush waits until the client's application has taken everything sent before; see channel.Conn.
func (s *Session) Flush(ctx context.Context) error {
	if err := s.awaitAllEarlier(ctx); err != nil {
		return err
	}
	if err := s.takeUnhandled(); err != nil {
		return err
	}
	return s.link.Flush(ctx)
}

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

// Ping measures the time to the client and back. While the client is away it waits for it, until ctx ends.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) { return s.link.Ping(ctx) }

// Close sends what Send accepted and ends the session; see channel.Conn.
func (s *Session) Close() error { return s.CloseWithReason(channel.CodeClosed, "") }

// CloseWithReason is Close with a code, such as CodeKicked, and a text of at most 255 bytes that
// the client sees. A client that is away may come back to hear it while Close waits, and with
// CodeKicked and codes of the application's own also later, for Server.Grace, instead of being let
// in. If it does not come while Close waits, and its application is not known to have taken all
// that was sent, the error is a *channel.GapError. What Broadcast and Group.Send have waiting for a
// client that is there is sent before with CodeClosed and CodeShutdown, for at most 5 s, in which
// the client is served as before; what is left then, and all of it with other codes, is lost, with
// a *channel.LostError.
func (s *Session) CloseWithReason(code channel.Code, text string) error {
	s.server.noteClose(s, code, text)
	wait := time.Duration(0) // who is kicked is not to be served meanwhile
	if code == channel.CodeClosed || code == channel.CodeShutdown {
		wait = wire.CloseTimeout
	}
	left := s.drainOverflow(context.Background(), wait)
	err := s.link.Close(code, text)
	if err == nil && left > 0 {
		err = &channel.LostError{Err: fmt.Errorf("%d messages that were sent to many waited for the client", left)}
	}
	return err
}
