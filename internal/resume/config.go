package resume

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/pysock/pysock/internal/wire"
)

// Errors that callers act on. Use errors.Is.
var (
	// ErrPosition is what Holds and Attach return for a position that cannot be gone on from: the
	// other side has acknowledged more, or it was never sent so much.
	ErrPosition = errors.New("resume: the position is not between what was acknowledged and what was sent")
	// ErrSuperseded is what Attach returns when a newer Handover has begun, or this one was used
	// or aborted.
	ErrSuperseded = errors.New("resume: the handover is not the newest")
	// ErrSilent is why a connection is lost on which no byte was heard for Idle and Timeout. It is
	// os.ErrDeadlineExceeded to errors.Is.
	ErrSilent error = silentError{}
	// ErrWriteClosed is returned by writes after CloseWrite.
	ErrWriteClosed = errors.New("resume: write after CloseWrite")
)

type silentError struct{}

func (silentError) Error() string        { return "the other side is silent" }
func (silentError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

const (
	// DefaultBuffer is what Config.Buffer is if it is 0.
	DefaultBuffer = 1 << 20
	// MinBuffer is the least that Config.Buffer can be: room for one record beside less than 64 KiB
	// that the other side need not acknowledge yet (docs/protocol.md, section 17.1).
	MinBuffer = 192 << 10
	// DefaultIdle is what Config.Idle is if it is 0.
	DefaultIdle = 15 * time.Second
	// DefaultTimeout is what Config.Timeout is if it is 0.
	DefaultTimeout = 10 * time.Second
	// MaxHeader is the most that goes before the stream's bytes in a record.
	MaxHeader = 1 + 8 + 4 + 4 + 4
	// MaxContent is the most that WriteRecord takes.
	MaxContent = wire.MaxRecord - 1
	// MaxDirect is the most that WriteRecord can write in place; MaxContent - MaxHeader leaves
	// room for everything that may go along.
	MaxDirect = MaxContent - 1
)

// ackInterval is how much may arrive before it is acknowledged without anything else to send.
const ackInterval = 64 << 10

// Lower is what a Conn runs over: *secure.Conn, whose documentation says what its methods do. If it
// has Received() uint64, how many bytes have arrived in all, also of a record that is still under
// way, then a record may take as long as it takes. Without that what is not a whole record is silence.
type Lower interface {
	net.Conn
	// ReadRecord returns the content of the next record, valid until the next call. io.EOF is
	// the authenticated end of the stream.
	ReadRecord() ([]byte, error)
	// WriteRecord writes one record in place.
	WriteRecord(b []byte) (int, error)
	// WriteRecordFrom is the same, and leaves the content as it is.
	WriteRecordFrom(b []byte) (int, error)
	// RecordRoom is what WriteRecord needs before and after the content.
	RecordRoom() (before, after int)
	// CloseWrite sends the authenticated end of the stream.
	CloseWrite() error
	// CloseNow closes the connection without it, and waits for nothing.
	CloseNow() error
}

// Config says how a Conn is to behave. Its zero value is a server's with the defaults.
type Config struct {
	// Buffer is how many bytes of memory may be held for what is sent and not acknowledged; when
	// it is full, writes wait. 0 is DefaultBuffer, less than MinBuffer is MinBuffer.
	Buffer int

	// Idle is how long the other side may be silent before it is asked for a sign of life, 0 for
	// DefaultIdle.
	Idle time.Duration

	// Timeout is how long it may then still be silent before the connection is taken for lost, 0
	// for DefaultTimeout.
	Timeout time.Duration

	// Lost is called when the connection is lost, and why, if the Conn can go on over another.
	// Each call has its own goroutine and holds no locks, so that another connection may be there
	// when it comes. It may be nil.
	Lost func(err error)

	// Retry is called when the other side announces that the session will end, with how long to
	// wait before coming back. The reader calls it: it must not block. If it is nil such an
	// announcement is a protocol error, as it is for a server.
	Retry func(d time.Duration)
}

func (cfg *Config) withDefaults() Config {
	var d Config
	if cfg != nil {
		d = *cfg
	}
	if d.Buffer == 0 {
		d.Buffer = DefaultBuffer
	}
	d.Buffer = max(d.Buffer, MinBuffer)
	if d.Idle == 0 {
		d.Idle = DefaultIdle
	}
	if d.Timeout == 0 {
		d.Timeout = DefaultTimeout
	}
	return d
}
