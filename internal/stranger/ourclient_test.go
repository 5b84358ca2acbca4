package stranger

import (
	"context"
	"encoding/binary"
	"net"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/client"
	"github.com/pysock/pysock/keys"
)

// A caller is our client at a site, in a bubble; each connection that it makes
// is next's.
type caller struct {
	*client.Client
	mu    sync.Mutex
	dials []time.Time
	next  func() net.Conn
}

// atSite runs a test of our client with the stranger's server.
func atSite(t *testing.T, cfg LinkConfig, change func(*client.Config), test func(t *testing.T, s *site, c *caller)) {
	synctest.Test(t, func(t *testing.T) {
		cfg.Library = &Library{}
		s := newSite(t, time.Minute, cfg)
		f := *identity(1).file
		f.Name = "alice"
		f.Server = &keys.ServerRef{Address: "127.0.0.1:1", Key: s.hub.file.Public}
		c := &caller{next: s.conn}
		config := &client.Config{Keys: &f, Logger: quiet, MaxMessage: maxMessage - messageCost}
		config.DialContext = func(context.Context, string, string) (net.Conn, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.dials = append(c.dials, time.Now())
			return c.next(), nil
		}
		if change != nil {
			change(config)
		}
		var err error
		c.Client, err = client.Dial(t.Context(), "", config)
		require.NoError(t, err)
		defer s.wait()
		defer c.Wait()
		defer c.Close()
		test(t, s, c)
	})
}

func (c *caller) setNext(next func() net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = next
}

func (c *caller) made() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Time{}, c.dials...)
}

// strandOf is the connection that carries a link.
func strandOf(l *Link) *strand {
	s := l.below.(*splice)
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.strand == nil && s.err == nil {
		s.cond.Wait()
	}
	return s.strand
}

func TestOurClientAfterCuts(t *testing.T) {
	atSite(t, LinkConfig{Handlers: theirHandlers()}, nil, func(t *testing.T, s *site, c *caller) {
		next, made := cuts(s.conn)
		c.setNext(func() net.Conn {
			conn, _ := next()
			return conn.(net.Conn)
		})
		l := <-s.links
		strandOf(l).sec.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		const messages = 200
		size := func(i int) int { return 4 + i*i*37%20_000 }
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range messages {
				body := pattern(size(i))
				binary.BigEndian.PutUint32(body, uint32(i))
				if err := c.Send(ctx, "echo", body); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for i := range messages / 4 {
				m, err := c.Request(ctx, "ask", pattern(size(i)))
				if err != nil || len(m.Body) != size(i) {
					t.Error("bad answer", err)
					return
				}
			}
		})
		for i := range messages {
			m, err := c.Receive(ctx)
			require.NoError(t, err)
			require.Len(t, m.Body, size(i))
			require.Equal(t, uint32(i), binary.BigEndian.Uint32(m.Body))
		}
		wg.Wait()
		require.Greater(t, made(), 10)
		require.Empty(t, s.links, "a session more")
		c.setNext(s.conn)
	})
}

func TestOurClientSilence(t *testing.T) {
	atSite(t, LinkConfig{Handlers: theirHandlers()}, nil, func(t *testing.T, s *site, c *caller) {
		l := <-s.links
		<-time.After(10 * time.Minute)
		require.Len(t, c.made(), 1)
		h := &hole{Conn: s.conn(), closed: make(chan struct{})}
		c.setNext(func() net.Conn { return h })
		strandOf(l).sec.Close()
		<-time.After(2 * time.Minute)
		c.setNext(s.conn)
		require.Len(t, c.made(), 2)
		_, err := c.Ping(t.Context())
		require.NoError(t, err)
		h.swallow()
		_, err = c.Ping(t.Context())
		require.NoError(t, err)
		require.Greater(t, len(c.made()), 2)
		require.NoError(t, l.Err())
	})
}

func TestOurClientRenews(t *testing.T) {
	atSite(t, LinkConfig{Handlers: theirHandlers()}, nil, func(t *testing.T, s *site, c *caller) {
		l := <-s.links
		<-time.After(73 * time.Hour)
		dials := c.made()
		require.GreaterOrEqual(t, len(dials), 4)
		for i := range dials[1:] {
			require.LessOrEqual(t, dials[i+1].Sub(dials[i]), 24*time.Hour)
		}
		_, err := c.Ping(t.Context())
		require.NoError(t, err)
		require.NoError(t, l.Err())
	})
}

// What our client sends again in a new session is given to the stranger's
// handler once, however many sessions are lost.
func TestOurClientSendsAgain(t *testing.T) {
	g := make(ledger, 1000)
	again := func(cfg *client.Config) { cfg.Delivery = client.AtLeastOnce }
	atSite(t, LinkConfig{Handlers: map[string]func(*Message){"log": g.handle}}, again, func(t *testing.T, s *site, c *caller) {
		const messages = 300
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range messages {
				if err := c.Send(t.Context(), "log", append(pattern(2000), strconv.Itoa(i)...)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for i := range 4 { // four sessions are lost in the middle
			l := <-s.links
			l.mu.Lock()
			for l.err == nil && (len(l.in) == 0 || l.readBytes < uint64(20_000*(i+1))) {
				l.cond.Wait()
			}
			l.mu.Unlock()
			_ = l.below.Close()
			<-l.Done()
		}
		wg.Wait()
		require.NoError(t, c.Flush(t.Context()))
		for i := range messages {
			require.Equal(t, strconv.Itoa(i), (<-g)[2000:])
		}
		synctest.Wait()
		require.Empty(t, g)
	})
}

// Without that, what is lost is a gap, and nothing comes twice.
func TestOurClientDoesNotSendAgain(t *testing.T) {
	g := make(ledger, 16)
	var release chan struct{}
	handlers := map[string]func(*Message){"log": func(m *Message) {
		g.handle(m)
		<-release
	}}
	atSite(t, LinkConfig{Handlers: handlers}, nil, func(t *testing.T, s *site, c *caller) {
		release = make(chan struct{})
		require.NoError(t, c.Send(t.Context(), "log", []byte("0")))
		require.NoError(t, c.Flush(t.Context()))
		require.NoError(t, c.Send(t.Context(), "log", []byte("1"))) // is not taken while the handler has 0
		synctest.Wait()
		l := <-s.links
		_ = l.below.Close()
		synctest.Wait()
		close(release)
		<-l.Done()
		<-s.links
		err := c.Flush(t.Context())
		var gap *channel.GapError
		require.ErrorAs(t, err, &gap)
		require.Equal(t, []channel.ChannelGap{{Channel: "log", Sent: 2, Taken: 1, Lost: 1}}, gap.Channels)
		require.NoError(t, c.Send(t.Context(), "log", []byte("2")))
		require.NoError(t, c.Flush(t.Context()))
		g.next(t, "0", "2")
		synctest.Wait()
		require.Empty(t, g)
		for _, h := range s.server.Link.Library.histories {
			require.Equal(t, []Gap{{"log", 1, 2}}, h.Lost())
		}
	})
}

func TestOurClientRetry(t *testing.T) {
	atSite(t, LinkConfig{Handlers: theirHandlers()}, nil, func(t *testing.T, s *site, c *caller) {
		l := <-s.links
		start := time.Now()
		s.server.Retry(7000)
		l.Close(codeShutdown, "soon back")
		<-l.Done()
		<-s.links
		require.GreaterOrEqual(t, c.made()[1].Sub(start), 7*time.Second)
		require.Less(t, c.made()[1].Sub(start), 30*time.Second)
	})
}

// Our client stays away when the server says so, also when that was said while
// it was not there.
func TestOurClientFinal(t *testing.T) {
	atSite(t, LinkConfig{}, nil, func(t *testing.T, s *site, c *caller) {
		l := <-s.links
		block := make(chan struct{})
		c.setNext(func() net.Conn {
			<-block
			return s.conn()
		})
		strandOf(l).sec.Close()
		l.Close(codeKicked, "out")
		<-l.Done()
		close(block)
		<-c.Context().Done()
		require.ErrorIs(t, context.Cause(c.Context()), channel.CodeKicked)
		require.Len(t, c.made(), 2)
	})
}

// A server that has not the secret, or tells a position that cannot be, is not
// given any data.
func TestOurClientChecksWelcome(t *testing.T) {
	for name, change := range map[string]func(*splice, *Token, *Welcome, hashes){
		"proof": func(_ *splice, _ *Token, w *Welcome, _ hashes) { w.Proof[0] ^= 1 },
		"position": func(s *splice, k *Token, w *Welcome, of hashes) {
			w.Position += 1000
			w.Proof = proof(s.secret, "server", of.h, s.id, k.Attempt, w.Position)
		},
		"proof of the handshake before message 3": func(s *splice, k *Token, w *Welcome, of hashes) {
			w.Proof = proof(s.secret, "server", of.h2, s.id, k.Attempt, w.Position)
		},
		"proof of another handshake": func(s *splice, k *Token, w *Welcome, of hashes) {
			w.Proof = proof(s.secret, "server", [32]byte{1}, s.id, k.Attempt, w.Position)
		},
	} {
		t.Run(name, func(t *testing.T) {
			atSite(t, LinkConfig{Handlers: theirHandlers()}, nil, func(t *testing.T, s *site, c *caller) {
				l := <-s.links
				read := make(chan error, 1)
				c.setNext(func() net.Conn {
					c.next = s.conn
					mine, theirs := net.Pipe()
					s.wg.Go(func() {
						sec, err := respond(theirs, handshakeKeys{static: s.hub.key}, nil, func(peer, content []byte, of hashes) []byte {
							hello, _ := decodeHello(content)
							ses, w, _ := s.server.takeUp(peer, hello, of)
							change(ses.splice, hello.Token, w, of)
							return append([]byte{0}, w.encode()...)
						})
						if err == nil {
							_, _, err = sec.readRecord()
						}
						read <- err
					})
					return mine
				})
				strandOf(l).sec.Close()
				require.ErrorIs(t, <-read, ErrTruncated)
			})
		})
	}
}
