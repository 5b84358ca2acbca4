package memnet

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// DefaultBuffer is how many bytes a direction holds if Config.Buffer is 0.
const DefaultBuffer = 64 << 10

// Errors of connections with faults.
var (
	// ErrCut is what both ends of a connection, or of a direction, get after it was cut.
	ErrCut = errors.New("memnet: the connection was cut")
	// ErrReset is what both ends of a direction get after ResetAfter, the reading one when it has
	// read what came before.
	ErrReset = errors.New("memnet: the direction was reset")
)

// Config says what a connection is like. Its zero value is a fast and reliable one.
type Config struct {
	// Buffer is how many bytes each direction holds before Write waits; 0 means DefaultBuffer.
	Buffer int

	// Chunk, if it is not 0, is the most that one Read returns.
	Chunk int

	// Seed, if it and Chunk are not 0, lets each Read return 1 to Chunk bytes at random, the same
	// for the same seed.
	Seed uint64

	// Delay is how long bytes are under way. They are in the buffer meanwhile.
	Delay time.Duration

	// Jitter, if it and Seed are not 0, is the most that is added to Delay at random, the same for the same seed. Order
	// is kept.
	Jitter time.Duration

	// Drip, if it is not 0, is how long a Read must wait after another: bytes come in drops of at most Chunk.
	Drip time.Duration

	// CutAfter, if it is not 0, cuts the connection when a direction has carried so many bytes: the
	// last Write is cut short.
	CutAfter int64

	// ResetAfter, if it is not 0, ends a direction with ErrReset when it has carried so many bytes. The other goes on.
	ResetAfter int64

	// VanishAfter, if it is not 0, makes a direction a black hole when it has carried so many bytes, as Vanish does.
	VanishAfter int64
}

// Conn is one end of a connection. Its methods may be called by several goroutines at once.
type Conn struct {
	in, out *half
	local   Addr
	remote  Addr
}

var _ net.Conn = (*Conn)(nil)

// Addr is the address of an end: "memnet a" or "memnet b".
type Addr string

// Network is "memnet".
func (Addr) Network() string { return "memnet" }

// String is the address itself.
func (a Addr) String() string { return string(a) }

// Pipe makes a connection and returns its two ends.
func Pipe(cfg Config) (a, b *Conn) {
	if cfg.Buffer == 0 {
		cfg.Buffer = DefaultBuffer
	}
	ab, ba := newHalf(cfg, 1), newHalf(cfg, 2)
	a = &Conn{in: ba, out: ab, local: "a", remote: "b"}
	b = &Conn{in: ab, out: ba, local: "b", remote: "a"}
	ab.cut, ba.cut = a.Cut, a.Cut
	return a, b
}

func newHalf(cfg Config, stream uint64) *half {
	h := &half{cfg: cfg}
	h.cond.L = &h.mu
	if cfg.Seed != 0 {
		h.random = rand.New(rand.NewPCG(cfg.Seed, stream))
		h.jitter = rand.New(rand.NewPCG(cfg.Seed, stream+2))
	}
	return h
}

// Read waits for bytes and returns some. After the other end's CloseWrite or Close it returns io.EOF when
// everything was read, after a cut ErrCut at once, after Close here net.ErrClosed.
func (c *Conn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write waits until the buffer has taken all of p. After Close at either end it returns
// io.ErrClosedPipe or net.ErrClosed.
func (c *Conn) Write(p []byte) (int, error) { return c.out.write(p, true) }

// TryWrite writes as much of p as there is room for, which may be nothing, and does not wait.
func (c *Conn) TryWrite(p []byte) (int, error) { return c.out.write(p, false) }

// Close ends both directions. The other end may still read what was written before.
func (c *Conn) Close() error {
	c.in.closeRead()
	c.out.closeWrite(net.ErrClosed)
	return nil
}

// CloseWrite ends this end's direction, which the other end reads as io.EOF.
func (c *Conn) CloseWrite() error {
	c.out.closeWrite(io.ErrClosedPipe)
	return nil
}

// Cut makes both ends fail with ErrCut; what is under way is lost.
func (c *Conn) Cut() {
	c.in.fail()
	c.out.fail()
}

// CutIn makes the direction to this end fail with ErrCut; what is under way in it is lost. The other goes on.
func (c *Conn) CutIn() { c.in.fail() }

// Vanish makes the direction from this end a black hole: what is written from now on never arrives, and never waits.
func (c *Conn) Vanish() { c.out.vanish() }

// Stall holds back what comes for this end until Resume.
func (c *Conn) Stall() { c.in.stall(true) }

// Resume ends Stall.
func (c *Conn) Resume() { c.in.stall(false) }

// Buffered is how many bytes have been written to this end and not been read.
func (c *Conn) Buffered() int { return c.in.buffered() }

// LocalAddr names this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr names the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines; the zero time means never.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets when waiting Reads return os.ErrDeadlineExceeded.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.in.setDeadline(&c.in.readBy, t) }

// SetWriteDeadline sets when waiting Writes return os.ErrDeadlineExceeded.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.out.setDeadline(&c.out.writeBy, t) }
