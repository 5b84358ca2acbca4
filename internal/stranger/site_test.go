package stranger

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A site is the stranger's server with clients of the stranger's, in memory.
type site struct {
	t      *testing.T
	hub    ident
	server *Server
	links  chan *Link // of the sessions that began
	begun  sync.Map   // those links
	wg     sync.WaitGroup
}

// newSite has a server for alice and bob. The caller calls wait when all clients
// are closed.
func newSite(t *testing.T, grace time.Duration, cfg LinkConfig) *site {
	cfg.MaxMessage = maxMessage
	s := &site{t: t, hub: identity(3), links: make(chan *Link, 64)}
	s.server = &Server{Key: s.hub.key, Clients: map[string]string{}, Link: cfg, Grace: grace}
	for i, name := range []string{"alice", "bob"} {
		s.server.Clients[string(identity(byte(i+1)).public())] = name
	}
	return s
}

// conn connects to the server.
func (s *site) conn() net.Conn {
	a, b := net.Pipe()
	s.serve(b)
	return a
}

// wait waits until all sessions are over.
func (s *site) wait() {
	s.wg.Wait()
	s.begun.Range(func(l, _ any) bool {
		<-l.(*Link).Done()
		return true
	})
}

func (s *site) serve(conn io.ReadWriteCloser) {
	s.wg.Go(func() {
		l, err := s.server.Serve(conn)
		if err != nil {
			return
		}
		if _, again := s.begun.LoadOrStore(l, true); !again {
			s.links <- l
		}
	})
}

// dial is a client that offers resume.
func (s *site) dial(n byte, cfg LinkConfig) *Client {
	cfg.MaxMessage = maxMessage
	c, err := Dial(s.conn(), identity(n).key, s.hub.public(), Hello{Features: featureResume}, cfg)
	require.NoError(s.t, err)
	require.NotNil(s.t, c.splice)
	return c
}

// over closes a client and waits for it.
func over(c *Client) {
	c.Close(codeClosed, "")
	<-c.Done()
}

// A cutter is a connection that breaks after so many bytes, in the middle of
// whatever is being read or written.
type cutter struct {
	net.Conn
	mu   sync.Mutex
	left int
}

func cutAfter(conn net.Conn, n int) *cutter { return &cutter{Conn: conn, left: n} }

// some says how many of n bytes still go.
func (c *cutter) some(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, c.left)
	c.left -= n
	return n
}

func (c *cutter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if got := c.some(n); got < n {
		c.Conn.Close()
		return got, io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *cutter) Write(b []byte) (int, error) {
	n := c.some(len(b))
	done, err := c.Conn.Write(b[:n])
	if err == nil && n < len(b) {
		c.Conn.Close()
		return done, io.ErrClosedPipe
	}
	return done, err
}
