package secure

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pysock/pysock/secure/internal/noise"
)

// writer is the sending direction. Sealing and writing are under one lock,
// since the order on the wire is the order of the nonces.
type writer struct {
	conn     net.Conn
	raw      *rawWrite    // nil: only conn.Write, which waits
	deadline atomic.Int64 // Unix nanoseconds; 0 means none

	mu    sync.Mutex
	keys  *noise.CipherState
	err   error // final
	ended bool

	// tail is what is left of records that were sealed when a deadline expired, or the socket took
	// no more and nobody could wait. They are written before anything else: their nonces are used,
	// and a record cannot be taken back once a part of it is out.
	tail []byte
	held *buffer // what tail lies in
}

func (o *writer) setDeadline(t time.Time) {
	var n int64
	if !t.IsZero() {
		n = max(1, t.UnixNano())
	}
	o.deadline.Store(n)
}

// ready reports whether a new record may be sealed, having written the tail.
func (o *writer) ready() error {
	switch d := o.deadline.Load(); {
	case o.err != nil:
		return o.err
	case o.ended:
		return ErrWriteClosed
	case d != 0 && time.Now().UnixNano() >= d:
		// Without this a record would be sealed only to be kept as a tail.
		return os.ErrDeadlineExceeded
	}
	return o.flush()
}

// record seals and writes one record. taken says that it is on its way, which
// it can be even with an error: see tail.
func (o *writer) record(t recordType, content []byte) (taken bool, err error) {
	if err := o.ready(); err != nil {
		return false, err
	}
	return o.sealed(t, content, false)
}

func (o *writer) sealed(t recordType, content []byte, noWait bool) (taken bool, err error) {
	buf := getBuffer()
	defer putBuffer(buf)
	start, err := o.rekey(buf[:])
	if err != nil {
		return false, err
	}
	b := append(buf[start:start+HeadRoom], content...)
	if b, err = seal(o.keys, t, b); err != nil {
		o.err = err
		return false, err
	}
	return o.send(buf[:start+len(b)], noWait)
}

// rekey puts the rekey record at the start of b if it is due, and returns how
// long it is.
func (o *writer) rekey(b []byte) (int, error) {
	if !rekeyDue(o.keys) {
		return 0, nil
	}
	rec, err := seal(o.keys, recordRekey, b[:HeadRoom])
	o.err = err
	return len(rec), err
}

// send writes sealed records; they are not kept, but for the tail. With noWait that is what the
// socket does not take at once, and no error.
func (o *writer) send(b []byte, noWait bool) (taken bool, err error) {
	noWait = noWait && o.raw != nil
	var n int
	if noWait {
		n, err = o.raw.write(b)
	} else {
		n, err = o.conn.Write(b)
	}
	switch {
	case err == nil && n == len(b):
		return true, nil
	case (err == nil && noWait || err != nil && isDeadline(err)) && n >= 0 && n < len(b):
		o.held = getBuffer()
		o.tail = o.held[:copy(o.held[:], b[n:])]
		if noWait {
			err = nil // Flush will say it, if it is still so
		}
		return true, err
	case err == nil:
		err = io.ErrShortWrite
	}
	o.err = err
	return false, err
}

// flush writes the tail.
func (o *writer) flush() error {
	if len(o.tail) == 0 {
		return nil
	}
	n, err := o.conn.Write(o.tail)
	switch {
	case err == nil && n == len(o.tail):
		o.tail = nil
		putBuffer(o.held)
		o.held = nil
		return nil
	case err != nil && isDeadline(err) && n >= 0 && n <= len(o.tail):
		o.tail = o.tail[n:]
		return err
	case err == nil:
		err = io.ErrShortWrite
	}
	o.err = err
	return err
}

// end ends the stream, once. Called again it finishes what a deadline broke.
func (o *writer) end() error {
	if o.err != nil {
		return o.err
	}
	if err := o.flush(); err != nil || o.ended {
		return err
	}
	var err error
	o.ended, err = o.sealed(recordEnd, nil, false)
	return err
}

func (o *writer) verdict(b []byte, before func()) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	before()
	_, err := o.record(recordVerdict, b)
	return err
}
