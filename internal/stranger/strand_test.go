package stranger

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A hole is a connection that can stop to carry anything without breaking.
type hole struct {
	net.Conn
	mu      sync.Mutex
	open    bool
	closing sync.Once
	closed  chan struct{}
}

func (h *hole) swallow() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = true
}

func (h *hole) swallows() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

func (h *hole) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if h.swallows() {
		<-h.closed
		return 0, io.ErrClosedPipe
	}
	return n, err
}

func (h *hole) Write(b []byte) (int, error) {
	if h.swallows() {
		return len(b), nil
	}
	return h.Conn.Write(b)
}

func (h *hole) Close() error {
	h.closing.Do(func() { close(h.closed) })
	return h.Conn.Close()
}

// An idle connection is kept alive by PING, and one that is dead is found out
// 25 seconds after the last word.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, time.Minute, LinkConfig{Handlers: theirHandlers()})
		c := s.dial(1, LinkConfig{})
		h := &hole{Conn: s.conn(), closed: make(chan struct{})}
		_, err := c.Resume(h, false)
		require.NoError(t, err)
		<-time.After(10 * time.Minute)
		require.NoError(t, c.Ping(1))
		require.Equal(t, uint64(1), c.splice.attempt)
		h.swallow()
		start := time.Now()
		require.NoError(t, c.WaitLost())
		require.Equal(t, quietTime+deadTime, time.Since(start))
		_, err = c.Resume(s.conn(), false)
		require.NoError(t, err)
		require.NoError(t, c.Ping(2))
		over(c)
		s.wait()
	})
}

// Before a connection is a day old the client goes on over a new one.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, time.Minute, LinkConfig{Handlers: theirHandlers()})
		c := s.dial(1, LinkConfig{})
		var ages []time.Duration
		last := time.Now()
		kept := make(chan error, 1)
		go func() {
			kept <- c.Keep(func() (io.ReadWriteCloser, error) {
				ages = append(ages, time.Since(last))
				last = time.Now()
				return s.conn(), nil
			})
		}()
		<-time.After(70 * time.Hour)
		require.NoError(t, c.Ping(1))
		over(c)
		<-kept
		require.Equal(t, []time.Duration{renewAge, renewAge, renewAge}, ages)
		s.wait()
	})
}

// A server ends a connection that the client does not renew, and no session.
func TestNoRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, time.Minute, LinkConfig{Handlers: theirHandlers()})
		c := s.dial(1, LinkConfig{})
		c.splice.mu.Lock()
		c.splice.strand.age.Stop()
		c.splice.mu.Unlock()
		start := time.Now()
		require.NoError(t, c.WaitLost())
		require.Equal(t, endAge, time.Since(start))
		_, err := c.Resume(s.conn(), false)
		require.NoError(t, err)
		require.NoError(t, c.Ping(1))
		over(c)
		s.wait()
	})
}

func TestRetry(t *testing.T) {
	s := newSite(t, time.Minute, LinkConfig{})
	c := s.dial(1, LinkConfig{})
	_, said := c.RetryIn()
	require.False(t, said)
	s.server.Retry(1234)
	(<-s.links).Close(codeShutdown, "soon back")
	<-c.Done()
	require.Equal(t, &Error{Code: codeShutdown, Text: "soon back", Remote: true}, c.Err())
	milliseconds, said := c.RetryIn()
	require.True(t, said)
	require.Equal(t, uint32(1234), milliseconds)
	s.wait()
}

// badParcels break a rule of section 17.1, for a server that reads them.
var badParcels = map[string][][]byte{
	"empty record":        {{0}},
	"undefined flag":      {{16, 'x'}},
	"no room for ACK":     {{1, 0, 0, 0, 0, 0, 0, 0}},
	"RETRY from a client": {{8, 0, 0, 0, 1}},
	"ACK too far":         {{1, 0, 0, 1, 0, 0, 0, 0, 0}},
	"ACK goes back":       {{1, 0, 0, 0, 0, 0, 0, 0, 8}, {1, 0, 0, 0, 0, 0, 0, 0, 7}},
}

// breakRules has a session of a test's own making with a server, in which
// nothing goes on but what the test writes.
func breakRules(t *testing.T, dial func() net.Conn, n byte, serverKey []byte, contents [][]byte) {
	hello := Hello{Features: featureResume, MaxMessage: maxMessage}
	sec, welcome, err := sayHello(dial(), identity(n).key, serverKey, &hello, nil)
	require.NoError(t, err)
	require.Equal(t, uint32(featureResume), welcome.Features)
	defer sec.Close()
	stream, in := io.Pipe()
	read := make(chan *frame, 1)
	go func() { // reads frames until CLOSE
		defer close(read)
		for {
			f, _, err := readFrame(stream)
			if err != nil {
				return
			}
			if f.kind == frameClose {
				read <- f
				_, _ = io.Copy(io.Discard, stream)
				return
			}
		}
	}()
	ping := (&frame{kind: framePing, id: 7}).encode()
	require.NoError(t, sec.writeRecord(recordData, append([]byte{0}, ping...)))
	bad := false
	for {
		kind, content, err := sec.readRecord()
		require.NoError(t, err)
		if kind == recordEnd {
			break
		}
		p, err := decodeParcel(content, false)
		require.NoError(t, err)
		_, _ = in.Write(p.rest)
		if !bad && len(p.rest) > 0 { // the PONG: 8 bytes of the server's stream
			bad = true
			for _, c := range contents {
				require.NoError(t, sec.writeRecord(recordData, c))
			}
		}
	}
	require.NoError(t, in.Close())
	f := <-read
	require.NotNil(t, f)
	require.Equal(t, codeProtocol, f.code)
	require.NoError(t, sec.End())
}

func TestBadParcels(t *testing.T) {
	for name, contents := range badParcels {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, time.Minute, LinkConfig{})
			breakRules(t, s.conn, 1, s.hub.public(), contents)
			s.wait()
		})
	}
}
