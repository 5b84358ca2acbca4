package server

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/link"
	"github.com/pysock/pysock/internal/wakeup"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure"
)

// ErrServerClosed is what Serve and ListenAndServe return after Shutdown or Close.
var ErrServerClosed = errors.New("server: closed")

// A Server lets clients in and serves them. Only Keys is required. Its fields must not change once
// it serves; its methods may be called by several goroutines at once.
type Server struct {
	// Keys is the server's key file: its identity and its clients. Reload replaces the clients.
	Keys *keys.File

	// Handler has the handlers for what clients send to the server; nil for none, which makes the
	// server a mere relay of pipes.
	Handler *channel.Mux

	// Limits bounds what clients can make the server hold.
	Limits Limits

	// Names keeps who has which name on an open server. If it is nil an open server keeps names in
	// memory, until it stops.
	Names *Names

	// AllowPipe decides whether a client may open a pipe to another; the error's text goes to the
	// opener if it is a *channel.Error. If it is nil all may. It is called while the opener's
	// session waits, so it must not block. A panic is logged and refuses the pipe with
	// CodeInternal.
	AllowPipe func(from, to channel.Peer) error

	// AllowGroups decides whether a client may join groups: those of its hello when it connects,
	// whose refusal keeps it out, and one when it asks to join it later. If it is nil none may. On
	// an open server a client that connects for the first time has not claimed peer.Name yet when
	// this is called: if somebody else gets the name before it, it does not enter.
	//
	// This and the policies that follow may wait, which delays that client only. What they return
	// goes to the client if it is an *channel.Error or a channel.Code, and else as CodeRefused
	// without its text. A panic is logged and refuses with CodeInternal.
	AllowGroups func(peer channel.Peer, groups []string) error

	// AllowLeave decides whether a client may leave a group at run time. If it is nil none may.
	AllowLeave func(peer channel.Peer, group string) error

	// AllowRename decides whether a client may have another name for the rest of its session; name
	// is empty if it wants the name back that it came with. If it is nil none may. That the name is
	// allowed, and nobody else's, is seen to by the server: see Session.Rename.
	AllowRename func(peer channel.Peer, name string) error

	// AllowGroupSend decides whether a client may send a message to all others in a group, whether
	// it is in it itself (from.Groups) or not. If it is nil none may. It may look at m, whose
	// Channel, Body, Encoding, From and Group are set, and must not change or keep it.
	AllowGroupSend func(from channel.Peer, group string, m *channel.Message) error

	// AllowSee decides whether a client may learn that another is connected, away or known, by
	// Lookup, which answers as for a name that nobody has, and in Presence, where those whom it may
	// not see are left out. If it is nil all see all. It is asked for every change and every
	// viewer, so it must be fast; what it returns goes to nobody, and a panic hides the peer.
	//
	// Who may be seen before a change of its name, groups or state and not after it has left, for
	// that viewer; when the viewer's own name or groups change, it is asked about all again. What
	// else it goes by is not noticed before the peer's next change. It bounds these two, and whom
	// the report of a message to a group names; but that somebody is there shows also in whether a
	// pipe can be opened, a name is taken, or how many such a message reaches.
	//
	// Lookup asks it about who is not connected, too, by name and key: groups are those of a
	// session, so peer.Groups is empty then. A policy that goes by groups and lets such a one be
	// seen tells with that when he comes; one that goes by keys does not.
	AllowSee func(viewer, peer channel.Peer) error

	// Histories are those that clients may read, by name. What Broadcast sends on a channel is
	// added to the history of that name, and what is sent to a group to that of the name
	// "group/channel", which only members of the group may read; others are filled by the
	// application: see channel.History. The map must not change.
	Histories map[string]*channel.History

	// AllowHistory decides whether a client may read a history, beside that it is in the group if
	// it is one of a group. If it is nil all may.
	AllowHistory func(peer channel.Peer, name string) error

	// OnJoin is called when a session has begun, before any of its handlers, which wait until it
	// has returned. What the session's client is told of others does not wait.
	//
	// This and the hooks that follow are called on a goroutine of their own, those of one session
	// one after another, in order and without any lock of the server's: they may block, which
	// delays nothing but that session's hooks, and call whatever they like but Shutdown. At most 64
	// changes of a session wait for them; one more is refused with CodeBusy. A panic is logged.
	// Shutdown waits for hooks as for handlers.
	OnJoin func(s *Session)

	// OnLeave is called when a session has ended and its last handler has returned; reason is the
	// cause of its Context or, if this side has decided to end it, also while its client was away,
	// an *channel.Error with the code and the text: CodeReplaced, CodeRevoked, CodeLimit for one
	// that was too slow or made room, CodeShutdown, or those of CloseWithReason, such as
	// CodeKicked. Either may be in a *channel.GapError, with what ended the session in it for
	// errors.Is and errors.As: then the client is not known to have taken all that it was sent. A
	// client that has been away for too long is lost: a *channel.LostError, with CodeTimeout.
	// OnLeave is the last that is called of the session. A newer session of the same key may have
	// joined before.
	OnLeave func(s *Session, reason error)

	// OnAway is called when a session's client has lost its connection and may come back, and when
	// it has. What a slow hook did not get to see is left out: if it is away again when it was to
	// be told that it is back, neither is told.
	OnAway func(s *Session, away bool)

	// OnRename is called when a session has another name, at the client's wish or the
	// application's; old is the one before.
	OnRename func(s *Session, old string)

	// OnGroupChange is called when a session has joined or left a group after it has begun.
	OnGroupChange func(s *Session, group string, joined bool)

	// SlowTimeout is how long one client may hold up those who send to many; 0 for 5 s. When it takes
	// nothing of what the application has waiting for it on a channel for so long, or callers of
	// Broadcast and Group.Send have waited for room so long in all, however many at once, its session
	// is ended with CodeLimit. Of the latter a twentieth of the time is forgotten in which nobody
	// waits; a new session of the same key goes on where the last one was, and the count begins anew
	// when the client has come back over another connection meanwhile, but not again before what it
	// had shown would have been forgotten. One that is away is waited for a second. Who was away at
	// some time does not count as taking nothing, nor does one that gives no sign of life, which is
	// asked for: that may be found away, which takes up to 10 s more. What other clients send to
	// groups ends nobody's session: after so long it is left out, which the report and the receiver's
	// Message.Missed tell.
	SlowTimeout time.Duration

	// Grace is how long a session outlives its connection, for a client that can resume; 0 for 2
	// minutes, negative for not at all. The client then has to come back and goes on as if nothing
	// had been; if it does not the session ends with CodeTimeout. See Session.
	Grace time.Duration

	// KeepAlive is how long a client that can resume may be silent before the server asks it for a
	// sign of life; 0 for 20 s. If it gives none within 10 s its connection is taken for lost. As a
	// rule it is the client that asks, after 15 s. Connections without resume have TCP's keepalive.
	KeepAlive time.Duration

	// ReturnAfter is when clients that can resume are told to come back when the server drains or
	// is closed; 0 for 1 s. To it each adds a part of its own of 2 ms for each session, so that not
	// all come at once: 5,000 come back within 10 s. Clients obey at most 10 minutes, and come back
	// then if it is more.
	ReturnAfter time.Duration

	// DrainTimeout is how long Serve lets handlers go on and messages be sent when its ctx ends; 0
	// for 10 s. What is left then ends as with Close, which takes a second more at most: its
	// clients are told that the server goes down and when to come back, as the others.
	DrainTimeout time.Duration

	// HandshakeTimeout bounds a client's handshake; 0 for 10 s.
	HandshakeTimeout time.Duration

	// Logger takes panics of handlers and policies, errors of handlers, and failures to accept
	// connections; nil for slog.Default().
	Logger *slog.Logger

	listeners link.Listeners // for streams
	counters  counters

	setup    sync.Once
	err      error // of setup
	limits   Limits
	services *channel.Mux
	presence presence
	waits    context.Context // ends when requests that wait for something to happen must not any more
	endWaits context.CancelFunc
	grace    time.Duration // 0 for no resume
	renew    renewal
	names    *Names // Names, or one in memory
	gate     *secure.Gate
	ctx      context.Context // ends when no more handshakes may go on
	cancel   context.CancelFunc

	enders sync.WaitGroup // goroutines that end sessions; none is added once cutting is set and handshakes have ended

	mu         sync.Mutex
	admission  admission
	draining   bool
	accepting  map[net.Listener]struct{}
	handshakes handshakes
	patience   patience
	cutting    bool                                 // all sessions are being cut
	open       map[*Session]struct{}                // all that hold memory or run handlers
	connected  int                                  // of these, those whose connection has not ended
	sessions   map[*Session]struct{}                // of these, those whose end has not begun
	byName     map[string]*Session                  // those that can be addressed, by the name that they came with and by that which they have now
	runNames   map[string]*Session                  // those of them that have taken a name at run time, by its fold
	coming     map[string]int                       // how many sessions are joining, by the fold of their names
	everybody  group                                // those that can be addressed
	groups     map[string]*group                    // those that have members among them
	transient  map[keys.PublicKey]int               // how many of a key are open or joining
	lasting    map[keys.PublicKey][]*Session        // those that are open and not transient, the newest last
	byID       map[[wire.IDSize]byte]*Session       // those that can be resumed
	away       list.List                            // of *Session: those of these that are away, the longest first
	endReasons *shelf[[wire.IDSize]byte, endReason] // of those that could be resumed and have ended
	usedBooks  map[instanceOf]*instanceBooks        // those that a session uses
	holdups    *holdups                             // has a lock of its own
	idleBooks  *shelf[instanceOf, *link.Books]      // those that none uses, and one may come back to
	renewals   *time.Timer                          // looks for connections that are too old; nil before there was a session that can be resumed
	joining    int                                  // sessions that are being welcomed, or wait until there is room
	yielding   int                                  // sessions of open whose place one of those has
	ended      wakeup.Bell                          // a session or a handshake has
}

// start makes the server ready, once.
func (s *Server) start() error {
	s.setup.Do(func() {
		s.mu.Lock() // others may ask for sessions before Serve is called
		defer s.mu.Unlock()
		if s.Keys == nil || s.Keys.Private == nil {
			s.err = errors.New("server: Keys with a private key is required: keys.Load reads it from a key file")
			return
		}
		if s.admission, s.err = newAdmission(s.Keys); s.err != nil {
			return
		}
		if s.names = s.Names; s.names == nil {
			if s.names, s.err = OpenNames("", nil); s.err != nil {
				return
			}
		}
		s.limits = s.Limits.withDefaults()
		if s.err = s.checkHistories(); s.err != nil {
			return
		}
		s.grace = 2 * time.Minute
		if s.Grace != 0 {
			s.grace = max(s.Grace, 0)
		}
		s.renew = s.renew.withDefaults()
		s.gate = secure.NewGate(0)
		s.ctx, s.cancel = context.WithCancel(context.Background())
		s.waits, s.endWaits = context.WithCancel(context.Background())
		s.services = s.newServices()
		s.presence.begin(s.limits.MaxSessions)
		s.runNames = make(map[string]*Session)
		s.coming = make(map[string]int)
		s.groups = make(map[string]*group)
		s.accepting = make(map[net.Listener]struct{})
		s.open = make(map[*Session]struct{})
		s.sessions = make(map[*Session]struct{})
		s.byName = make(map[string]*Session)
		s.byID = make(map[[wire.IDSize]byte]*Session)
		s.usedBooks = make(map[instanceOf]*instanceBooks)
		s.endReasons = newShelf[[wire.IDSize]byte, endReason](s.grace, s.limits.MaxSessions, s.limits.MaxTransient)
		s.holdups = newHoldups(s.slowTimeout(), s.limits.MaxSessions)
		s.idleBooks = newShelf[instanceOf, *link.Books](s.grace, s.limits.MaxSessions, s.limits.MaxTransient)
		s.transient = make(map[keys.PublicKey]int)
		s.lasting = make(map[keys.PublicKey][]*Session)
	})
	return s.err
}

func (s *Server) logger() *slog.Logger {
	if s.Logger == nil {
		return slog.Default()
	}
	return s.Logger
}

// Listen takes the streams of a name that clients open to the server. Its Accept waits until a
// stream comes or the listener or the server is closed.
func (s *Server) Listen(name string) (net.Listener, error) {
	if err := keys.CheckChannel(name); err != nil {
		return nil, err
	}
	return s.listeners.Listen(name)
}
