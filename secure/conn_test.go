package secure

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"
)

// bare hides what a socket is beyond a net.Conn.
type bare struct{ net.Conn }

func TestNetConn(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){
		"pipe":     pipePair,
		"tcp":      tcpPair,
		"tcp bare": func(t testing.TB) (net.Conn, net.Conn) { a, b := tcpPair(t); return bare{a}, bare{b} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				a, b := pair(t)
				i, r := connect(t, a, b)
				return i, r, func() { i.CloseNow(); r.CloseNow() }, nil
			})
		})
	}
}

func TestStream(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){"pipe": pipePair, "tcp": tcpPair} {
		t.Run(name, func(t *testing.T) {
			i, r := connectOver(t, pair)
			want := make([]byte, 1<<20+17)
			rand.Read(want)
			done := make(chan error, 1)
			go func() {
				for rest := want; len(rest) > 0; {
					n := min(len(rest), 1+int(rest[0])*int(rest[len(rest)-1])*3)
					if _, err := i.Write(rest[:n]); err != nil {
						done <- err
						return
					}
					rest = rest[n:]
				}
				done <- i.CloseWrite()
			}()
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, <-done)
			require.True(t, bytes.Equal(want, got))
			_, err = i.Write([]byte("more"))
			require.ErrorIs(t, err, ErrWriteClosed)
			require.NoError(t, i.CloseWrite(), "a second CloseWrite has nothing to do")

			// The other direction is still open.
			go r.Write([]byte("answer"))
			buf := make([]byte, 10)
			n, err := i.Read(buf)
			require.NoError(t, err)
			require.Equal(t, "answer", string(buf[:n]))
		})
	}
}

func connectOver(t testing.TB, pair func(testing.TB) (net.Conn, net.Conn)) (initiator, responder *Conn) {
	a, b := pair(t)
	return connect(t, a, b)
}

// counting counts writes.
type counting struct {
	net.Conn
	writes int
}

func (c *counting) Write(p []byte) (int, error) {
	c.writes++
	return c.Conn.Write(p)
}

func TestOneWriteIsOneRecord(t *testing.T) {
	a, b := tcpPair(t)
	cc := &counting{Conn: a}
	i, r := connect(t, cc, b)
	require.Equal(t, 2, cc.writes, "preamble and message 1 in one write, message 3 in another")
	for _, size := range []int{1, 64, MaxContent, MaxContent + 1, 3 * MaxContent} {
		before, nonce := cc.writes, i.out.keys.Nonce()
		got := make(chan []byte, 1)
		go func() {
			buf := make([]byte, size)
			io.ReadFull(r, buf)
			got <- buf
		}()
		want := bytes.Repeat([]byte{7}, size)
		n, err := i.Write(want)
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.True(t, bytes.Equal(want, <-got))
		records := (size + MaxContent - 1) / MaxContent
		require.Equal(t, records, cc.writes-before)
		require.Equal(t, uint64(records), i.out.keys.Nonce()-nonce)
	}
	n, err := i.Write(nil)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestRecordAPI(t *testing.T) {
	i, r := connectOver(t, tcpPair)
	for _, size := range []int{1, 100, MaxContent} {
		b := make([]byte, HeadRoom+size, HeadRoom+size+TailRoom)
		for k := range b {
			b[k] = byte(k)
		}
		want := bytes.Clone(b[HeadRoom:])
		n, err := i.WriteRecord(b)
		require.NoError(t, err)
		require.Equal(t, size, n)
		got, err := r.ReadRecord()
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))

		copy(b[HeadRoom:], want)
		n, err = i.WriteRecordFrom(b[:len(b):len(b)])
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.True(t, bytes.Equal(want, b[HeadRoom:]), "it is left as it is")
		got, err = r.ReadRecord()
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	}
	// What Read leaves, ReadRecord gives.
	_, err := i.Write([]byte("abcdef"))
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 2))
	require.NoError(t, err)
	rest, err := r.ReadRecord()
	require.NoError(t, err)
	require.Equal(t, "cdef", string(rest))

	for _, b := range [][]byte{nil, make([]byte, HeadRoom, 100), make([]byte, HeadRoom+1), make([]byte, HeadRoom+MaxContent+1, 1<<17)} {
		_, err := i.WriteRecord(b)
		require.Error(t, err)
		if len(b) != HeadRoom+1 {
			_, err = i.WriteRecordFrom(b)
			require.Error(t, err)
		}
	}
	require.NoError(t, i.CloseWrite())
	_, err = i.WriteRecord(make([]byte, HeadRoom+1, HeadRoom+1+TailRoom))
	require.ErrorIs(t, err, ErrWriteClosed)
	_, err = r.ReadRecord()
	require.Equal(t, io.EOF, err)
	require.NoError(t, i.Close())
	_, err = i.WriteRecord(make([]byte, HeadRoom+1, HeadRoom+1+TailRoom))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = i.ReadRecord()
	require.ErrorIs(t, err, net.ErrClosed)
}

// dribble delivers one byte per Read and says "deadline" before each.
type dribble struct {
	net.Conn
	b    []byte
	fail bool
}

func (d *dribble) Read(p []byte) (int, error) {
	if d.fail = !d.fail; d.fail {
		return 0, os.ErrDeadlineExceeded
	}
	if len(d.b) == 0 {
		return 0, io.EOF
	}
	p[0] = d.b[0]
	d.b = d.b[1:]
	return 1, nil
}

// A deadline that expires at any byte loses none.
func TestReadDeadlineLosesNothing(t *testing.T) {
	s := newSession(t)
	want := bytes.Repeat([]byte("0123456789"), 200)
	wire := s.records(t, want, []byte("x"), []byte("yz"))
	wire = append(wire, s.record(t, recordEnd, nil)...)
	in := s.reader(&dribble{b: wire})
	var got []byte
	buf := make([]byte, 700)
	timeouts := 0
	for {
		n, err := in.read(buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			timeouts++
		}
	}
	require.Equal(t, string(want)+"xyz", string(got))
	require.Greater(t, timeouts, len(wire)-1)
}

// stuck takes k bytes of each write and then says "deadline".
type stuck struct {
	net.Conn
	k    int
	sent []byte
}

func (s *stuck) Write(p []byte) (int, error) {
	if s.k >= len(p) {
		s.sent = append(s.sent, p...)
		return len(p), nil
	}
	s.sent = append(s.sent, p[:s.k]...)
	return s.k, os.ErrDeadlineExceeded
}

// A deadline that expires at any byte of a record breaks neither the record
// nor the nonces: the rest goes first.
func TestWriteDeadlineKeepsTheRest(t *testing.T) {
	for k := range 30 {
		s := newSession(t)
		st := &stuck{k: k}
		c := &Conn{conn: st}
		c.out.conn, c.out.keys = st, s.send
		n, err := c.Write([]byte("first"))
		if k >= rekeyRecord+5 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		}
		require.Equal(t, 5, n, "the record is on its way")
		st.k = 0 // still stuck: nothing new may be sealed
		if len(c.out.tail) > 0 {
			n, err = c.Write([]byte("too early"))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Zero(t, n)
			require.ErrorIs(t, c.CloseWrite(), os.ErrDeadlineExceeded)
		}
		st.k = 1000
		_, err = c.Write([]byte(" second"))
		require.NoError(t, err)
		require.NoError(t, c.CloseWrite())
		got, err := io.ReadAll(readerFunc(s.reader(&fixed{b: st.sent}).read))
		require.NoError(t, err)
		require.Equal(t, "first second", string(got))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// broken fails a write as told.
type broken struct {
	net.Conn
	n   int
	err error
}

func (b *broken) Write(p []byte) (int, error) { return b.n, b.err }

// Anything but a deadline ends the direction.
func TestBrokenWriteIsFinal(t *testing.T) {
	boom := errors.New("boom")
	for _, b := range []*broken{{n: 3}, {n: 3, err: boom}, {n: 0, err: boom}, {n: 26, err: os.ErrDeadlineExceeded}} {
		s := newSession(t)
		c := &Conn{conn: b}
		c.out.conn, c.out.keys = b, s.send
		_, first := c.Write([]byte("first"))
		require.Error(t, first)
		nonce := s.send.Nonce()
		for range 2 {
			_, err := c.Write([]byte("second"))
			require.Equal(t, first, err)
		}
		require.Equal(t, first, c.CloseWrite())
		require.Equal(t, nonce, s.send.Nonce(), "nothing may be sealed after a failure")
	}
	// The same while the rest of an earlier record is due.
	for _, b := range []*broken{{n: 1}, {err: boom}} {
		s := newSession(t)
		st := &stuck{k: 3}
		c := &Conn{conn: st}
		c.out.conn, c.out.keys = st, s.send
		_, err := c.Write([]byte("first"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		c.out.conn = b
		_, err = c.Write([]byte("second"))
		require.Error(t, err)
		require.False(t, isDeadline(err))
		require.Equal(t, err, c.out.err)
	}
}

func TestClose(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){"pipe": pipePair, "tcp": tcpPair} {
		t.Run(name, func(t *testing.T) {
			i, r := connectOver(t, pair)
			read := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, r)
				read <- err
			}()
			// A past deadline does not keep the end from being sent.
			i.SetWriteDeadline(time.Unix(1, 0))
			require.NoError(t, i.Close())
			require.NoError(t, <-read, "Close must end the stream properly")
			require.ErrorIs(t, i.Close(), net.ErrClosed)
			require.ErrorIs(t, i.CloseNow(), net.ErrClosed)
			require.ErrorIs(t, i.CloseWrite(), net.ErrClosed)
			_, err := i.Write([]byte("x"))
			require.ErrorIs(t, err, net.ErrClosed)
			_, err = i.Read(make([]byte, 1))
			require.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

// Close returns although the other side takes nothing, and frees who waits.
func TestCloseWhileBlocked(t *testing.T) {
	i, _ := connectOver(t, pipePair)
	errs := make(chan error, 2)
	go func() { _, err := i.Write(make([]byte, 100)); errs <- err }()
	go func() { _, err := i.Read(make([]byte, 100)); errs <- err }()
	require.NoError(t, i.Close())
	require.ErrorIs(t, <-errs, net.ErrClosed)
	require.ErrorIs(t, <-errs, net.ErrClosed)
}

func TestCloseNowTruncates(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){"pipe": pipePair, "tcp": tcpPair} {
		t.Run(name, func(t *testing.T) {
			i, r := connectOver(t, pair)
			require.NoError(t, i.CloseNow())
			for range 2 {
				_, err := r.Read(make([]byte, 1))
				var truncated *TruncatedError
				require.ErrorAs(t, err, &truncated)
				require.Equal(t, "stream", truncated.During)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			}
		})
	}
}

func TestAccessors(t *testing.T) {
	a, b := tcpPair(t)
	i, r := connect(t, a, b)
	require.Equal(t, i.LocalKey(), r.PeerKey())
	require.Equal(t, r.LocalKey(), i.PeerKey())
	require.Equal(t, "welcome", string(i.Welcome()))
	require.Equal(t, "welcome", string(r.Welcome()))
	require.Equal(t, i.HandshakeHash(), r.HandshakeHash())
	require.Len(t, i.HandshakeHash(), 32)
	x, err := i.Export("safety", 16)
	require.NoError(t, err)
	y, err := r.Export("safety", 16)
	require.NoError(t, err)
	require.Equal(t, x, y)
	require.Equal(t, a.LocalAddr(), i.LocalAddr())
	require.Equal(t, a.RemoteAddr(), i.RemoteAddr())
}
