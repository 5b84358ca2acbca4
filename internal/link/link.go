package link

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/flow"
	"github.com/pysock/pysock/internal/wakeup"
	"github.com/pysock/pysock/internal/wire"
)

// maxQueued is how many bytes may wait to be written by default.
const maxQueued = 1 << 20

// Config says what a link is for.
type Config struct {
	// Initiator is set on the side that began the handshake below. It opens odd streams.
	Initiator bool

	// Peer is who is at the other end, until SetPeer says otherwise.
	Peer *channel.Peer

	// From is what handlers get as the connection that a message came on.
	From channel.Conn

	// Mux has the handlers; nil for none.
	Mux *channel.Mux

	// Services has the handlers of service channels, which Receive never gets. It is complete
	// before the link begins; nil if the other side has none to ask.
	Services *channel.Mux

	// ServicesAtOnce has the handlers of services called without Run, and also while those of the
	// application wait for handlers of an older link: a service that only notes what it is told
	// stands in nobody's way.
	ServicesAtOnce bool

	// GroupMessages is set where the other side is a server, whose word is taken for who sent a
	// message to a group. Else a group channel is a protocol error.
	GroupMessages bool

	// Listeners take the streams that the other side opens; nil for none.
	Listeners *Listeners

	// OpenPipe takes the pipes that the other side opens; nil if it may not. It is called by the
	// reader and must not block. It must hand the stream to Relay before it returns, or Accept or
	// Reject it then or later.
	OpenPipe func(s *Stream, open wire.PipeOpen)

	// MaxMessage is the largest message cost accepted, 0 for wire.DefaultMaxMessage.
	MaxMessage uint32

	// PeerMaxMessage is the largest message cost that the other side accepts, as it said in its hello or welcome.
	PeerMaxMessage uint32

	// MaxChannels is how many channels the other side may use for its application, 0 for 256. It
	// may use wire.MaxGroupChannels for group messages beside these.
	MaxChannels int

	// MaxServices is how many service channels it may use beside both, 0 for 16.
	MaxServices int

	// MaxQueued is how many bytes may wait to be written before Send and Write wait too, 0 for 1
	// MiB. One message or write may go over it.
	MaxQueued int

	// MaxStreams is how many streams the other side may have open at once, 0 for 256.
	MaxStreams int

	// StreamWindow is how much a stream may hold that nobody has read, 0 for 512 KiB.
	StreamWindow int

	// Books are those of the instance that the link is for; nil for books of its own, which end with it.
	Books *Books

	// Logger takes panics and errors of handlers; nil for slog.Default().
	Logger *slog.Logger
}

func (c *Config) withDefaults() Config {
	d := *c
	if d.MaxMessage == 0 {
		d.MaxMessage = wire.DefaultMaxMessage
	}
	if d.PeerMaxMessage == 0 {
		d.PeerMaxMessage = wire.DefaultMaxMessage
	}
	if d.MaxChannels == 0 {
		d.MaxChannels = 256
	}
	if d.MaxServices == 0 {
		d.MaxServices = 16
	}
	if d.MaxQueued == 0 {
		d.MaxQueued = maxQueued
	}
	if d.MaxStreams == 0 {
		d.MaxStreams = 256
	}
	if d.StreamWindow == 0 {
		d.StreamWindow = 512 << 10
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	return d
}

// A Link is one connection's engine. Make one with New.
type Link struct {
	cfg    Config
	conn   net.Conn
	rec    recordConn  // conn, if it is one; else nil
	head   int         // what rec needs before the content of a record
	outlet outlet      // how batches leave
	nowait nonblocking // how to write and read without waiting; nil if that cannot be done

	budget      budget // what channels may hold
	groupBudget budget // what those of group messages may hold

	// answerPool is for large answers. It is one of its own, because what channels hold may wait for a handler that
	// waits for an answer.
	answerPool *flow.Pool

	peer atomic.Pointer[channel.Peer] // who is at the other end now

	ctx    context.Context // done when the link is
	cancel context.CancelCauseFunc

	// handlers is what handlers of plain messages get as their ctx. After an orderly close by the
	// other side it lives until what arrived has been handled.
	handlers       context.Context
	cancelHandlers context.CancelCauseFunc

	done chan struct{}  // closed when the reader has returned
	wg   sync.WaitGroup // all goroutines of the link

	noMoreHandlers atomic.Bool // no handler is called any more: Quiesce was called, or a newer link has taken the place
	ignoresInput   atomic.Bool // this side has closed: what still comes is not acted on
	reporting      atomic.Bool // a timer will tell what was taken
	readerWrites   atomic.Bool // the reader acts on frames, and will write what they bring about; cleared with mu held

	_ cacheLine // what is above is read for each message by who runs handlers, what is below changed by the reader

	stats Stats     // atomic
	rd    readState // owned by the reader

	packed []*inChan  // channels with messages that the reader has packed; owned by the reader
	bodies sync.Mutex // held by the reader while it puts a body together, and by who drops what is together so far

	mu         sync.Mutex
	sched      sched
	pace       flow.Pace
	writing    bool        // somebody is at writing: the writer goroutine, or who does it without waiting (tryWrite)
	unwritten  unwritten   // owned by who has set writing, and by the writer that it leaves it to
	writer     func()      // l.write; a go statement that makes it anew allocates
	relayedOut relayedOut  // owned by who is at writing
	writeErr   error       // why nothing can be written any more
	unanswered error       // what ended the connection, when it has
	room       wakeup.Bell // the queue has room again
	groupRoom  wakeup.Bell // likewise, for what is foreign
	progress   uint64      // what to tell with PROGRESS, as read when it became due
	toldRead   uint64      // what was told last
	pong       uint32
	pongDue    bool

	state        state
	end          error             // why the link is not open any more
	err          error             // end, or the *channel.GapError about it
	gap          *channel.GapError // what was not known to have been taken at the end; nil if all was
	books        *Books
	owns         bool // books.out is guarded by mu and this link's
	closing      wire.Reason
	remoteClosed bool        // the other side's CLOSE has come
	broken       bool        // the other side broke the protocol
	wroteClose   bool        // our CLOSE and the end of our direction have been written
	readAll      bool        // the reader has read what it will
	closeOut     wakeup.Bell // our CLOSE has been written, or will not be
	deadline     *time.Timer // cuts a close that takes too long

	out      [wire.Kinds]map[string]*outChan
	outByID  []*outChan
	requests map[uint32]*outRequest // ours, not answered
	lastReq  uint32
	grants   []*outRequest // ANSWER-GRANT frames to send
	answers  []*outRequest // answers that wait for answerPool, first come first served
	reqFree  wakeup.Bell   // a request ended

	in         []*inChan             // by number - 1
	asked      map[uint32]*inRequest // requests of the other side that have no answer queued
	dispatch   bool                  // Run was called: messages go to handlers
	pulling    bool                  // Receive was called: what has no handler goes to it
	pulled     pullQueue
	receivers  []*receiver   // those that wait
	held       bool          // no handlers yet: those of an older link with the same books still run
	ahead      *Link         // that link; nil if not held
	displaced  chan struct{} // closed when a newer link takes this one's place while it is held; nil if it never was
	running    int           // goroutines that run handlers
	idle       wakeup.Bell   // running is 0
	muxVersion uint64

	streams    map[uint32]endpoint
	nextStream uint32
	lastRemote uint32
	remote     int // streams that the other side opened and that are not closed

	pings pings
}

// state is how far a link's life has come.
type state uint8

const (
	stateOpen      state = iota
	stateClosing         // Close was called, or the other side's CLOSE has come: what is due is written, then CLOSE
	stateCloseSent       // CLOSE is being written or has been: nothing is written after it
	stateDead
)

// New makes a link over conn and starts its reader. conn belongs to the link from now on. Nothing
// is dispatched before Run or Receive. An older link with the same Books ends, as these say; New
// does not wait for it and writes nothing.
func New(conn net.Conn, cfg *Config) *Link {
	l := &Link{
		cfg:      cfg.withDefaults(),
		conn:     conn,
		done:     make(chan struct{}),
		pace:     flow.NewPace(),
		requests: make(map[uint32]*outRequest),
		asked:    make(map[uint32]*inRequest),
		streams:  make(map[uint32]endpoint),
	}
	l.budget, l.groupBudget = newBudget(l.cfg.MaxMessage), newBudget(l.cfg.MaxMessage)
	l.answerPool = flow.NewPool(uint64(l.cfg.MaxMessage))
	l.writer = l.write
	l.useConn()
	l.sched.most = l.cfg.MaxQueued
	l.peer.Store(l.cfg.Peer)
	l.nextStream = 2
	if l.cfg.Initiator {
		l.nextStream = 1
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	l.handlers, l.cancelHandlers = context.WithCancelCause(context.Background())
	books := l.cfg.Books
	if books == nil {
		books = NewBooks(false)
	}
	if older, ahead := books.take(l); ahead != nil {
		l.succeed(older, ahead)
	}
	l.wg.Add(1)
	go l.read() // stops when the connection ends
	return l
}

// Context is done when the link is; its cause says why.
func (l *Link) Context() context.Context { return l.ctx }

// Done is closed when the link has ended and nothing more will arrive.
func (l *Link) Done() <-chan struct{} { return l.done }

// Wait returns when every goroutine of the link has, handlers included.
func (l *Link) Wait() {
	l.wg.Wait()
	l.books.release(l)
}

// Peer says who is at the other end, as SetPeer has said last.
func (l *Link) Peer() *channel.Peer { return l.peer.Load() }

// SetPeer says who is at the other end from now on: in messages and answers that come, in Peer, and
// in what is logged. It does not wait and takes no lock. The link keeps p, which must not change
// any more; the key is the one that was proven.
func (l *Link) SetPeer(p *channel.Peer) { l.peer.Store(p) }

// failure is why the link cannot be used, for who sends messages; call it with mu held.
func (l *Link) failure() error {
	if l.err == nil {
		return channel.ErrClosed
	}
	return l.err
}

// gone is why the link cannot be used, for all others: what became of messages is not their
// business. Call it with mu held.
func (l *Link) gone() error {
	if l.end == nil {
		return channel.ErrClosed
	}
	return l.end
}
