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

	// Handler has the handlers for what clients send to the server; nil for none, which makes the server a mere relay of pipes.
	Handler *channel.Mux

	// Limits bounds what clients can make the server hold.
	Limits Limits

	// Names keeps who has which name on an open server. If it is nil an open server keeps names in memory, until it stops.
	Names *Names

	// AllowPipe decides whether a client may open a pipe to another; the error's text goes to the opener if it is a *channel.Error. If it is nil all may.
	// It is called while the opener's session waits, so it must not block. A panic is logged and refuses the pipe with CodeInternal.
	AllowPipe func(from, to channel.Peer) error

	// AllowGroups decides whether a client may join groups when it connects. If it is nil none may. On an open server a name that peer has not had
	// before is claimed only after that, and peer does not enter if somebody else has it. A panic is logged and refuses the client with CodeInternal.
	AllowGroups func(peer channel.Peer, groups []string) error

	// Grace is how long a session outlives its connection, for a client that can resume; 0 for 2 minutes, negative for not at all. The client then has
	// to come back and goes on as if nothing had been; if it does not the session ends with CodeTimeout. See Session.
	Grace time.Duration

	// KeepAlive is how long a client that can resume may be silent before the server asks it for a sign of life; 0 for 20 s. If it gives none within 10 s its connection
	// is taken for lost. As a rule it is the client that asks, after 15 s. Connections without resume have TCP's keepalive.
	KeepAlive time.Duration

	// ReturnAfter is when clients that can resume are told to come back when the server drains; 0 for 1 s. To it each adds a part of its own of 2 ms for each session, so that
	// not all come at once: 5,000 come back within 10 s.
	ReturnAfter time.Duration

	// DrainTimeout is how long Serve takes to drain when its ctx ends; 0 for 10 s.
	DrainTimeout time.Duration

	// HandshakeTimeout bounds a client's handshake; 0 for 10 s.
	HandshakeTimeout time.Duration

	// Logger takes panics of handlers and policies, errors of handlers, and failures to accept connections; nil for slog.Default().
	Logger *slog.Logger

	listeners link.Listeners // for streams
	counters  counters

	setup  sync.Once
	err    error // of setup
	limits Limits
	grace  time.Duration // 0 for no resume
	renew  renewal
	names  *Names // Names, or one in memory
	gate   *secure.Gate
	ctx    context.Context // ends when no more handshakes may go on
	cancel context.CancelFunc

	ending sync.WaitGroup // goroutines that end sessions; none is added once cutting is set and handshakes have ended

	mu         sync.Mutex
	admission  admission
	draining   bool
	accepting  map[net.Listener]struct{}
	handshakes handshakes
	patience   patience
	cutting    bool                           // all sessions are being cut
	open       map[*Session]struct{}          // all that hold memory or run handlers
	connected  int                            // of these, those whose connection has not ended
	sessions   map[*Session]struct{}          // of these, those whose end has not begun
	byName     map[string]*Session            // those that can be addressed
	transient  map[keys.PublicKey]int         // how many of a key are open or joining
	lasting    map[keys.PublicKey][]*Session  // those that are open and not transient, the newest last
	byID       map[[wire.IDSize]byte]*Session // those that can be resumed
	away       list.List                      // of *Session: those of these that are away, the longest first
	graves     *shelf[[wire.IDSize]byte, grave]
	attended   map[instanceOf]*sequences       // those that a session uses
	shelved    *shelf[instanceOf, *link.Books] // those that none uses, and may go on
	renewals   *time.Timer                     // looks for connections that are too old; nil before there was a session that can be resumed
	joining    int                             // sessions that are being welcomed, or wait until there is room
	yielding   int                             // sessions of open whose place one of those has
	changed    chan struct{}                   // closed and replaced when a session or a handshake ended; nil while nobody waits
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
		s.grace = 2 * time.Minute
		if s.Grace != 0 {
			s.grace = max(s.Grace, 0)
		}
		s.renew = s.renew.withDefaults()
		s.gate = secure.NewGate(0)
		s.ctx, s.cancel = context.WithCancel(context.Background())
		s.accepting = make(map[net.Listener]struct{})
		s.open = make(map[*Session]struct{})
		s.sessions = make(map[*Session]struct{})
		s.byName = make(map[string]*Session)
		s.byID = make(map[[wire.IDSize]byte]*Session)
		s.attended = make(map[instanceOf]*sequences)
		s.graves = newShelf[[wire.IDSize]byte, grave](s.grace, s.limits.MaxSessions, s.limits.MaxTransient)
		s.shelved = newShelf[instanceOf, *link.Books](s.grace, s.limits.MaxSessions, s.limits.MaxTransient)
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

// Listen takes the streams of a name that clients open to the server. Its Accept waits until a stream comes or the listener or
// the server is closed.
func (s *Server) Listen(name string) (net.Listener, error) {
	if err := keys.CheckChannel(name); err != nil {
		return nil, err
	}
	return s.listeners.Listen(name)
}
