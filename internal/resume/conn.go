package resume

import (
	"net"
	"sync"
	"time"

	"github.com/pysock/pysock/internal/wakeup"
)

// A Conn is a stream in both directions over one connection after another. It is a net.Conn, and
// has the methods that let a link make and read records in place. Its methods may be called by
// several goroutines at once, Read and ReadRecord by one at a time. Acknowledgements and signs of
// life come with what is read, so that somebody must read, also what only writes. Make one with New.
type Conn struct {
	cfg    Config
	before int    // what WriteRecord needs before the content: under and MaxHeader
	under  int    // what the connection below needs before its content
	after  int    // and after it
	run    func() // c.flush; a go statement that makes it anew allocates

	reader sync.Mutex // held by who reads
	plain  []byte     // of a record that Read has begun; owned by the reader

	mu      sync.Mutex
	err     error       // why calls fail; once set the Conn has ended
	lower   Lower       // nil while there is none
	nowait  nonblocking // lower, if it need not wait; else nil
	gen     uint64      // of lower; a loss and each new one count
	changed wakeup.Bell // what waiting calls look at has changed
	local   net.Addr    // of the present or last connection
	remote  net.Addr
	since   time.Time // the present connection is there, or there is none, since then
	traffic uint64    // bytes that lower has carried
	readBy  time.Time
	writeBy time.Time

	readMoves uint64 // how often readBy was set

	in       incoming
	out      outgoing
	pings    pings
	timer    *time.Timer // calls tick
	handover *Handover   // the newest, until it is attached or aborted
}

var _ net.Conn = (*Conn)(nil)

// New returns a Conn whose first connection is conn, which it owns from then on. The streams
// begin at position 0 on both sides. cfg is not kept; nil is the zero Config. It neither reads nor
// writes conn. Close or Fail it.
func New(conn Lower, cfg *Config) *Conn {
	c := &Conn{cfg: cfg.withDefaults()}
	c.under, c.after = conn.RecordRoom()
	c.before = c.under + MaxHeader
	c.run = c.flush
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.window.most = MaxDirect
	c.adopt(conn)
	c.timer = time.AfterFunc(c.cfg.Idle, c.tick)
	return c
}

// use makes conn the connection. Call it with mu held.
func (c *Conn) use(conn Lower) {
	c.adopt(conn)
	c.timer.Reset(c.cfg.Idle)
	c.changed.Ring()
}

// adopt is use without what a new Conn does not need: its timer begins anyway, and nobody waits.
func (c *Conn) adopt(conn Lower) {
	c.lower = conn
	if c.nowait, _ = conn.(nonblocking); c.nowait != nil && !c.nowait.CanTry() {
		c.nowait = nil
	}
	c.gen++
	c.local, c.remote = conn.LocalAddr(), conn.RemoteAddr()
	c.since = time.Now()
	c.traffic = 0
	c.out.failed, c.out.ended, c.out.rest = nil, false, false
	c.pings.restart()
	c.in.heard = c.since
	if !c.readBy.IsZero() {
		_ = conn.SetReadDeadline(c.readBy) // it fails only if conn is closed, which the reader will find
	}
}

// wait gives mu up until something has changed or the time has come; zero is never. Call it with
// mu held, and look again.
func (c *Conn) wait(until time.Time) {
	changed := c.changed.Wait()
	c.mu.Unlock()
	defer c.mu.Lock()
	if until.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// Away reports whether there is no connection, and since when. A Conn that has ended is not away.
func (c *Conn) Away() (since time.Time, away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lower != nil || c.err != nil {
		return time.Time{}, false
	}
	return c.since, true
}

// Traffic returns since when the present connection is there, and how many bytes of content it
// has carried in both directions; zero if there is none. It tells when to renew it.
// See also DropOld.
func (c *Conn) Traffic() (since time.Time, bytes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lower == nil {
		return time.Time{}, 0
	}
	return c.since, c.traffic
}

// LocalAddr returns the present or last connection's.
func (c *Conn) LocalAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local
}

// RemoteAddr returns the present or last connection's.
func (c *Conn) RemoteAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remote
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets when reads give up, with or without a connection; zero means never.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.readBy = t
	c.readMoves++
	if c.lower != nil {
		_ = c.lower.SetReadDeadline(t) // as in use
	}
	c.changed.Ring()
	return nil
}

// SetWriteDeadline sets when writes that wait for room give up; zero means never.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.writeBy = t
	c.changed.Ring()
	return nil
}
