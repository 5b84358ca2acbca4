package stranger

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

const (
	recordData    = 0
	recordEnd     = 1
	recordVerdict = 2
	recordRekey   = 3

	mostPlain = 65_519
	rekeyStep = 65_536
)

// ErrTruncated: the byte stream stopped without an end record.
var ErrTruncated = errors.New("stranger: truncated")

// A secureConn carries a byte stream in sealed records (section 5). One
// goroutine may read and one may write.
type secureConn struct {
	conn       io.ReadWriteCloser
	r          *bufio.Reader
	peer       []byte // static key of the other side
	hash       []byte
	export     func(label string, n int) []byte
	in, out    *cipherState
	mayVerdict bool // the next record read may be the verdict
	rest       []byte
	ended      bool
	brokenOut  error
	recordSize int // the most data of a record; tests make it small
}

func newSecureConn(conn io.ReadWriteCloser, h *handshake) *secureConn {
	i, r := h.split()
	s := &secureConn{
		conn: conn, r: bufio.NewReader(conn), peer: h.peerStatic.Bytes(), hash: h.h[:], export: h.symmetricState.export,
		in: r, out: i, mayVerdict: h.initiator, recordSize: mostPlain - 1,
	}
	if !h.initiator {
		s.in, s.out = i, r
	}
	return s
}

func (s *secureConn) writeRecord(kind byte, content []byte) error {
	if s.brokenOut != nil {
		return s.brokenOut
	}
	rekeyNow := (s.out.n+1)%rekeyStep == 0
	if rekeyNow && kind != recordRekey {
		if err := s.writeRecord(recordRekey, nil); err != nil {
			return err
		}
	}
	sealed := s.out.encrypt(nil, append([]byte{kind}, content...))
	if kind == recordRekey {
		s.out.rekey()
	}
	_, s.brokenOut = s.conn.Write(framed(sealed))
	return s.brokenOut
}

// readRecord returns the next record that is not a rekey.
func (s *secureConn) readRecord() (kind byte, content []byte, err error) {
	if s.ended {
		return 0, nil, io.EOF
	}
	var head [2]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, truncated(err)
	}
	n := binary.BigEndian.Uint16(head[:])
	if n < 17 {
		return 0, nil, protocolError("record too short")
	}
	sealed := make([]byte, n)
	if _, err := io.ReadFull(s.r, sealed); err != nil {
		return 0, nil, truncated(err)
	}
	mustRekey := (s.in.n+1)%rekeyStep == 0
	plain, err := s.in.decrypt(nil, sealed)
	if err != nil {
		return 0, nil, err
	}
	kind, content = plain[0], plain[1:]
	first := s.mayVerdict
	s.mayVerdict = false
	switch {
	case mustRekey != (kind == recordRekey), first != (kind == recordVerdict),
		kind > recordRekey,
		kind == recordData && len(content) == 0,
		(kind == recordEnd || kind == recordRekey) && len(content) > 0:
		return 0, nil, protocolError("a record against the rules")
	case kind == recordRekey:
		s.in.rekey()
		return s.readRecord()
	case kind == recordEnd:
		s.ended = true
	}
	return kind, content, nil
}

func truncated(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrTruncated
	}
	return errors.Join(ErrTruncated, err)
}

// Read reads the byte stream; io.EOF is the authenticated end.
func (s *secureConn) Read(b []byte) (int, error) {
	for len(s.rest) == 0 {
		kind, content, err := s.readRecord()
		if err != nil {
			return 0, err
		}
		if kind == recordEnd {
			return 0, io.EOF
		}
		s.rest = content
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Write cuts b into records.
func (s *secureConn) Write(b []byte) (int, error) {
	for done := 0; done < len(b); {
		n := min(len(b)-done, s.recordSize)
		if err := s.writeRecord(recordData, b[done:done+n]); err != nil {
			return done, err
		}
		done += n
	}
	return len(b), nil
}

// limited makes the records small, for tests.
func (s *secureConn) limited(records int) *secureConn {
	if records > 0 {
		s.recordSize = records
	}
	return s
}

// End sends the authenticated end of this direction.
func (s *secureConn) End() error { return s.writeRecord(recordEnd, nil) }

// Close closes the connection, with or without an end.
func (s *secureConn) Close() error { return s.conn.Close() }

// drain reads what comes without looking into it.
func (s *secureConn) drain() { _, _ = io.Copy(io.Discard, s.r) }

func (s *secureConn) peerKey() []byte { return s.peer }
