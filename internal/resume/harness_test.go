package resume

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/memnet"
)

// plain is a Lower without cryptography, for speed and so that tests see what is written: a
// record is its type, its length and its content.
type plain struct {
	*memnet.Conn
	in     *bufio.Reader
	body   []byte // the record that is being read
	have   int    // of it
	came   atomic.Uint64
	closed atomic.Bool

	mu    sync.Mutex // held while writing
	ended bool
	tail  []byte // of a record, see TryWriteRecord

	waits bool // it cannot do without
}

const (
	plainBefore, plainAfter = 3, 16

	plainData = 0
	plainEnd  = 1
)

func newPlain(conn *memnet.Conn) *plain {
	return &plain{Conn: conn, in: bufio.NewReaderSize(conn, 1024), body: make([]byte, 1024)}
}

// lowers makes a connection.
func lowers(cfg memnet.Config) (a, b *plain) {
	x, y := memnet.Pipe(cfg)
	return newPlain(x), newPlain(y)
}

func (p *plain) RecordRoom() (before, after int) { return plainBefore, plainAfter }

func (p *plain) ReadRecord() ([]byte, error) {
	// What has come of a record stays when a deadline expires.
	for {
		want := plainBefore
		if p.have >= plainBefore {
			want += int(binary.BigEndian.Uint16(p.body[1:]))
			if p.have == want {
				break
			}
		}
		if want > len(p.body) {
			p.body = append(p.body, make([]byte, want)...)
		}
		n, err := p.in.Read(p.body[p.have:want])
		p.came.Add(uint64(n))
		if p.have += n; err != nil {
			return nil, p.truncated(err)
		}
	}
	b := p.body[plainBefore:p.have]
	p.have = 0
	if p.body[0] == plainEnd {
		return nil, io.EOF
	}
	return b, nil
}

func (p *plain) Received() uint64 { return p.came.Load() }

func (p *plain) truncated(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (p *plain) WriteRecord(b []byte) (int, error) {
	if len(b) <= plainBefore || len(b) > plainBefore+MaxContent || cap(b)-len(b) < plainAfter {
		panic("a record without room, without content or too large")
	}
	b[0] = plainData
	binary.BigEndian.PutUint16(b[1:], uint16(len(b)-plainBefore))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return 0, io.ErrClosedPipe
	}
	if err := p.flush(); err != nil {
		return 0, err
	}
	if _, err := p.Conn.Write(b); err != nil {
		return 0, err
	}
	clear(b[:len(b)+plainAfter]) // it may be overwritten
	return len(b) - plainBefore, nil
}

// flush writes the tail. Call it with mu held.
func (p *plain) flush() error {
	n, err := p.Conn.Write(p.tail)
	p.tail = p.tail[n:]
	return err
}

func (p *plain) CanTry() bool { return !p.waits }

func (p *plain) TryWriteRecord(b []byte) (rest bool, err error) {
	b[0] = plainData
	binary.BigEndian.PutUint16(b[1:], uint16(len(b)-plainBefore))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || len(p.tail) > 0 {
		panic("a record after the end, or before the last is written")
	}
	n, err := p.Conn.TryWrite(b)
	p.tail = append([]byte{}, b[n:]...)
	clear(b[:len(b)+plainAfter])
	return len(p.tail) > 0, err
}

func (p *plain) TryWriteRecordFrom(b []byte) (rest bool, err error) {
	c := append(make([]byte, 0, len(b)+plainAfter), b...)
	clear(b[:plainBefore])
	return p.TryWriteRecord(c)
}

func (p *plain) Flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flush()
}

// TryReadRecord returns a record that was read ahead with the last.
func (p *plain) TryReadRecord() ([]byte, error) {
	head, err := p.in.Peek(min(plainBefore, p.in.Buffered()))
	if err != nil || p.have > 0 || len(head) < plainBefore || p.in.Buffered() < plainBefore+int(binary.BigEndian.Uint16(head[1:])) {
		return nil, err
	}
	return p.ReadRecord()
}

func (p *plain) WriteRecordFrom(b []byte) (int, error) {
	c := append(make([]byte, 0, len(b)+plainAfter), b...)
	clear(b[:plainBefore]) // this may be overwritten
	return p.WriteRecord(c)
}

func (p *plain) CloseWrite() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil
	}
	p.ended = true
	if err := p.flush(); err != nil {
		return err
	}
	_, err := p.Conn.Write([]byte{plainEnd, 0, 0})
	return err
}

func (p *plain) Close() error {
	_ = p.CloseWrite()
	return p.CloseNow()
}

func (p *plain) CloseNow() error {
	if !p.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	return p.Conn.Close()
}

// pair makes two Conns over a connection. They are closed when the test ends.
func pair(t testing.TB, net memnet.Config, a, b *Config) (ca, cb *Conn) {
	t.Helper()
	x, y := lowers(net)
	ca, cb = New(x, a), New(y, b)
	t.Cleanup(func() { ca.Fail(nil); cb.Fail(nil) })
	return ca, cb
}

// reconnect goes over to a new connection with both sides.
func reconnect(t testing.TB, net memnet.Config, a, b *Conn) (x, y *plain) {
	t.Helper()
	x, y = lowers(net)
	ha, hb := a.Handover(), b.Handover()
	require.NoError(t, ha.Attach(x, hb.Position()))
	require.NoError(t, hb.Attach(y, ha.Position()))
	return x, y
}

// writeRecord sends content as a link does, in one of the ways that there are.
func writeRecord(c *Conn, content []byte) error {
	before, after := c.RecordRoom()
	if n := before + len(content); len(content)%2 == 1 && n+after <= maxSegment {
		lent := c.Lend()
		copy((*lent)[before:], content)
		if len(content)%4 == 3 {
			ok, rest, err := c.TryWriteLent(lent, n)
			if rest {
				err = c.Flush()
			}
			if ok || err != nil {
				return err
			}
		}
		return c.WriteLent(lent, n)
	}
	b := make([]byte, before+len(content), before+len(content)+after)
	copy(b[before:], content)
	_, err := c.WriteRecord(b)
	return err
}

// far is the other side played by hand: it sends and reads whole records.
type far struct {
	t testing.TB
	*plain
}

// hand makes a Conn whose other side the test plays.
func hand(t testing.TB, cfg *Config) (*Conn, *far) {
	t.Helper()
	x, y := lowers(memnet.Config{Buffer: 1 << 20})
	c := New(x, cfg)
	t.Cleanup(func() { c.Fail(nil); _ = y.CloseNow() })
	return c, &far{t, y}
}

func (f *far) send(h header, stream string) {
	f.t.Helper()
	b := h.append(make([]byte, plainBefore, 1<<17))
	_, err := f.WriteRecord(append(b, stream...))
	require.NoError(f.t, err)
}

// expect reads a record.
func (f *far) expect(h header, stream string) {
	f.t.Helper()
	got, rest := f.next()
	require.Equal(f.t, h, got)
	require.Equal(f.t, stream, string(rest))
}

func (f *far) next() (header, []byte) {
	f.t.Helper()
	b, err := f.ReadRecord()
	require.NoError(f.t, err)
	h, rest, err := parse(b)
	require.NoError(f.t, err)
	return h, rest
}

// collect reads n bytes of the stream, and answers PING.
func (f *far) collect(n int) (stream []byte) {
	f.t.Helper()
	for len(stream) < n {
		h, b := f.next()
		stream = append(stream, b...)
		if h.has(flagPing) {
			f.send(header{flags: flagPong, pong: h.ping}, "")
		}
	}
	return stream
}

// quiet checks that nothing has been written. It is for a bubble in which all is at rest.
func (f *far) quiet() {
	f.t.Helper()
	require.Zero(f.t, f.Buffered()+f.in.Buffered())
}

// isDeadline reports a passing error.
func isDeadline(err error) bool { return err != nil && os.IsTimeout(err) }

// keeps is how much memory a Conn holds for what may have to be sent again.
func keeps(c *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.kept.memory
}
