package secure

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/pysock/pysock/secure/internal/noise"
)

// reader is the receiving direction. Bytes are read ahead, as many as there
// are, into a pooled buffer and opened there; a record's content is handed out
// from where it was opened.
//
// A reader that waits holds no such buffer. On a TCP socket it waits with none
// at all (rawRead). Elsewhere it waits with smallSize bytes, and takes a big
// buffer for what does not fit. Bytes stay where they are when a deadline
// expires, so nothing is lost.
type reader struct {
	conn net.Conn
	raw  *rawRead // nil: use conn.Read

	received atomic.Uint64 // bytes that were read

	mu    sync.Mutex
	keys  *noise.CipherState
	first bool // the next record must be the verdict
	err   error
	late  error // came with bytes, due when they are used up

	buf   []byte  // big or small or nil; buf[r:w] is sealed and not yet opened
	big   *buffer // what buf lies in, if it is big
	small []byte
	r, w  int
	plain []byte // opened in buf, not yet handed out
}

// smallSize is what a waiting reader holds at most, beside a record's part
// that does not fit.
const smallSize = 512

func (in *reader) init(conn net.Conn, k *noise.CipherState, verdictFirst bool) {
	in.conn, in.keys, in.first = conn, k, verdictFirst
	in.raw = newRawRead(conn, in)
}

// errNotHere is what a call that may not wait returns instead.
var errNotHere = errors.New("secure: no whole record has arrived")

// next returns the next record, waiting for it if wait is set. content is
// valid until the next call. Errors are final, but for an expired deadline and
// errNotHere.
func (in *reader) next(wait bool) (t recordType, content []byte, err error) {
	if in.err != nil {
		return 0, nil, in.err
	}
	for {
		size, err := in.whole()
		if err != nil {
			return 0, nil, in.fail(err)
		}
		if size > 0 && in.w-in.r >= size {
			sealed := in.buf[in.r+headerSize : in.r+size]
			in.r += size
			if t, content, err = open(in.keys, sealed); err != nil {
				return 0, nil, in.fail(err)
			}
			if t == recordRekey {
				continue
			}
			if in.first != (t == recordVerdict) {
				return 0, nil, in.fail(violation("the verdict is the responder's first record and no other"))
			}
			in.first = false
			return t, content, nil
		}
		if !wait {
			return 0, nil, errNotHere
		}
		if err := in.fill(size); err != nil {
			return 0, nil, in.failFill(err)
		}
	}
}

// whole returns the size of the record at buf[r:], 0 while that is not known.
func (in *reader) whole() (int, error) {
	if in.w-in.r < headerSize {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(in.buf[in.r:]))
	if n < minSealed {
		return 0, violation("record of %d bytes", n)
	}
	return headerSize + n, nil
}

// fail ends the direction and lets its buffer go.
func (in *reader) fail(err error) error {
	in.err = err
	in.r, in.w, in.plain = 0, 0, nil
	in.release()
	return err
}

func (in *reader) failFill(err error) error {
	switch {
	case isDeadline(err):
		return err
	case err == io.EOF && in.first:
		err = &TruncatedError{During: "handshake"}
	case err == io.EOF && in.r < in.w:
		err = &TruncatedError{During: "record"}
	case err == io.EOF:
		err = &TruncatedError{During: "stream"}
	}
	return in.fail(err)
}

// fill reads some bytes; size is what the record at hand needs, 0 if unknown.
func (in *reader) fill(size int) (err error) {
	if in.late != nil {
		return in.late
	}
	if in.raw != nil {
		return in.raw.fill(size)
	}
	in.room(size)
	// A Reader may return nothing without an error, but not for ever.
	for range 100 {
		n, err := in.conn.Read(in.buf[in.w:])
		in.came(n)
		if n > 0 {
			if err != nil && !isDeadline(err) {
				in.late = err
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// came notes n bytes more in buf.
func (in *reader) came(n int) {
	in.w += n
	in.received.Add(uint64(n))
}

// room makes place for a record of size bytes, before a read that may block:
// in a small buffer if it fits.
func (in *reader) room(size int) {
	if max(size, in.w-in.r) <= smallSize {
		in.park()
		if in.buf == nil {
			in.useSmall()
		}
	} else {
		in.useBig(size)
	}
}

// park gives the big buffer back if what is unread fits into the small one,
// and is called only when nothing opened is left in it.
func (in *reader) park() {
	unread := in.buf[in.r:in.w]
	switch {
	case len(unread) == 0:
		in.r, in.w = 0, 0
		in.release()
	case in.big == nil:
		in.w = copy(in.buf, unread)
		in.r = 0
	case len(unread) <= smallSize:
		big := in.big
		in.big = nil
		in.useSmall()
		in.r, in.w = 0, copy(in.buf, unread)
		putBuffer(big)
	}
}

func (in *reader) useSmall() {
	if in.small == nil {
		in.small = make([]byte, smallSize)
	}
	in.buf = in.small
}

// useBig makes buf a big one with place for a record of size bytes at r, and
// for something in any case.
func (in *reader) useBig(size int) {
	unread := in.buf[in.r:in.w]
	switch {
	case in.big == nil:
		in.big = getBuffer()
	case len(unread) > 0 && len(in.buf)-in.r >= size && in.w < len(in.buf):
		return
	}
	in.buf = in.big[:]
	in.r, in.w = 0, copy(in.buf, unread)
}

// release gives the big buffer back. Nothing in it may be in use.
func (in *reader) release() {
	if in.big != nil {
		putBuffer(in.big)
	}
	in.big, in.buf = nil, nil
}

// data makes plain the content of the next data record.
func (in *reader) data(wait bool) error {
	t, content, err := in.next(wait)
	switch {
	case err != nil:
		return err
	case t == recordData:
		in.plain = content
		return nil
	case in.r < in.w:
		return in.fail(violation("bytes after the end"))
	}
	return in.fail(io.EOF)
}

// read copies stream bytes to p: it waits for the first, and adds what has
// already arrived whole.
func (in *reader) read(p []byte) (n int, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for n < len(p) {
		if len(in.plain) == 0 {
			if err := in.data(n == 0); err != nil {
				if n > 0 {
					break // a final error comes again
				}
				return 0, err
			}
		}
		c := copy(p[n:], in.plain)
		in.plain = in.plain[c:]
		n += c
	}
	if len(in.plain) == 0 && in.r == in.w {
		in.r, in.w = 0, 0
		in.release()
	}
	return n, nil
}

// record returns the content of the next data record without a copy, waiting for it if wait is set.
func (in *reader) record(wait bool) ([]byte, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.plain) == 0 {
		if err := in.data(wait); err != nil {
			return nil, err
		}
	}
	b := in.plain
	in.plain = nil
	return b, nil
}

// verdict reads the responder's first record.
func (in *reader) verdict() ([]byte, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	_, content, err := in.next(true)
	if err != nil {
		return nil, err
	}
	welcome, err := decodeVerdict(content)
	if err != nil {
		return nil, in.fail(err)
	}
	if in.r == in.w {
		in.r, in.w = 0, 0
		in.release()
	}
	return welcome, nil
}
