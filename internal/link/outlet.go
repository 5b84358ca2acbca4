package link

import (
	"net"
	"sync"
)

// An outlet is how batches leave for the connection: resume.Conn is one, which keeps what it writes for a while, and
// so lends buffers of its own. Any other connection gets one that takes them from a pool.
type outlet interface {
	// Lend returns a buffer that one record of maxBatch bytes fits into with its room.
	Lend() *[]byte
	// TakeBack takes one back that is not needed.
	TakeBack(b *[]byte)
	// WriteLent writes the first n bytes of a buffer that was lent, room before the content included. The buffer is
	// not the caller's any more then.
	WriteLent(b *[]byte, n int) error
}

// A nonblocking connection can do without waiting: resume.Conn over a socket. So who reads one connection can write
// what that has brought about, on this link and on others, and need not wake another goroutine for it.
type nonblocking interface {
	// TryReadRecord is ReadRecord that returns nothing if no whole record is there.
	TryReadRecord() ([]byte, error)
	// TryWriteLent is WriteLent that does not wait. If it is not ok, it would have had to, and the buffer is still the
	// caller's. What is left of what it took, which rest says, is for Flush.
	TryWriteLent(b *[]byte, n int) (ok, rest bool, err error)
	// Flush writes what was taken and not written, and waits for that.
	Flush() error
}

// A tryRecordConn is a recordConn that lends nothing and can do without waiting, if CanTry says so: secure.Conn over
// a socket.
type tryRecordConn interface {
	recordConn
	TryReadRecord() ([]byte, error)
	TryWriteRecord(b []byte) (rest bool, err error)
	Flush() error
}

// useConn notes, once for all, how the connection is read and written.
func (l *Link) useConn() {
	l.outlet = plainOutlet{conn: l.conn}
	rec, ok := l.conn.(recordConn)
	if !ok {
		return
	}
	before, after := rec.RecordRoom()
	if before+after > maxRecordRoom {
		return
	}
	l.rec, l.head = rec, before
	c, ok := rec.(interface{ CanTry() bool })
	canTry := ok && c.CanTry()
	if lends, ok := rec.(outlet); ok {
		l.outlet = lends
		if canTry {
			l.nowait, _ = rec.(nonblocking)
		}
		return
	}
	l.outlet = recordOutlet{conn: rec}
	if c, ok := rec.(tryRecordConn); ok && canTry {
		l.nowait = tryRecords{tryRecordConn: c}
	}
}

// batches are buffers for one write, with room for what a recordConn puts around it.
var batches = sync.Pool{New: func() any { b := make([]byte, maxBatch+maxRecordRoom); return &b }}

// pooled lends buffers of batches.
type pooled struct{}

func (pooled) Lend() *[]byte      { return batches.Get().(*[]byte) }
func (pooled) TakeBack(b *[]byte) { batches.Put(b) }

// plainOutlet is the outlet of a connection that knows no records.
type plainOutlet struct {
	pooled
	conn net.Conn
}

func (o plainOutlet) WriteLent(b *[]byte, n int) error {
	_, err := o.conn.Write((*b)[:n])
	o.TakeBack(b)
	return err
}

// recordOutlet is that of a recordConn.
type recordOutlet struct {
	pooled
	conn recordConn
}

func (o recordOutlet) WriteLent(b *[]byte, n int) error {
	_, err := o.conn.WriteRecord((*b)[:n])
	o.TakeBack(b)
	return err
}

// tryRecords is what a tryRecordConn can do without waiting.
type tryRecords struct {
	pooled
	tryRecordConn
}

func (t tryRecords) TryWriteLent(b *[]byte, n int) (ok, rest bool, err error) {
	rest, err = t.TryWriteRecord((*b)[:n])
	t.TakeBack(b)
	return true, rest, err
}
