package stranger

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// cuts gives connections of which each breaks sooner or later: some in the
// handshake, most in the middle of a transfer.
func cuts(dial func() net.Conn) (next func() (io.ReadWriteCloser, error), made func() int) {
	sizes := []int{9000, 40_000, 3, 300_000, 1300, 2700, 70_000, 3400, 150_000, 12_345}
	n := 0
	return func() (io.ReadWriteCloser, error) {
		n++
		return cutAfter(dial(), sizes[n%len(sizes)]), nil
	}, func() int { return n }
}

// echoes sends numbered messages of many sizes to an echo, some as requests,
// and checks that each comes back once and in order.
func echoes(t *testing.T, l *Link, messages int) {
	t.Helper()
	size := func(i int) int { return 4 + i*i*37%20_000 }
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for i := range messages {
			body := pattern(size(i))
			binary.BigEndian.PutUint32(body, uint32(i))
			if l.Send("echo", 1, body) != nil {
				return
			}
		}
	})
	wg.Go(func() {
		for i := range messages / 4 {
			body := binary.BigEndian.AppendUint32(nil, uint32(i))
			call, err := l.Request("ask", 2, append(body, pattern(size(i))...))
			if err != nil {
				return
			}
			answer, err := call.Wait()
			if err != nil || answer.Err != nil || string(answer.Body[:4]) != string(body) {
				t.Error("bad answer", err)
				return
			}
		}
	})
	for i := range messages {
		m, err := l.Receive()
		require.NoError(t, err)
		require.Len(t, m.Body, size(i))
		require.Equal(t, uint32(i), binary.BigEndian.Uint32(m.Body))
	}
}

// afterCuts lets a client of an echo go on over connections that break.
func afterCuts(t *testing.T, c *Client, dial func() net.Conn) {
	next, made := cuts(dial)
	kept := make(chan error, 1)
	go func() { kept <- c.Keep(next) }()
	conn, err := next()
	require.NoError(t, err)
	_, err = c.Resume(conn, false)
	var no *Error
	require.False(t, errors.As(err, &no), "%v", err)
	echoes(t, c.Link, 200)
	require.Greater(t, made(), 10)
	over(c)
	<-kept
	require.Equal(t, &Error{}, c.Err())
}

func TestResumeAfterCuts(t *testing.T) {
	s := newSite(t, time.Minute, LinkConfig{Handlers: theirHandlers()})
	afterCuts(t, s.dial(1, LinkConfig{}), s.conn)
	s.wait()
	l := <-s.links
	<-l.Done()
	require.Equal(t, &Error{Remote: true}, l.Err())
}

// meanwhile goes on over new connections while the one before still works and
// much is under way in it.
func meanwhile(t *testing.T, c *Client, dial func() net.Conn) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 40 {
			if _, err := c.Resume(dial(), false); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	echoes(t, c.Link, 300)
	close(done)
	wg.Wait()
	require.Greater(t, c.splice.attempt, uint64(1))
}

func TestResumeMeanwhile(t *testing.T) {
	s := newSite(t, time.Minute, LinkConfig{Handlers: theirHandlers()})
	c := s.dial(1, LinkConfig{})
	meanwhile(t, c, s.conn)
	over(c)
	s.wait()
}

// forge makes a token with the right proof, for a test to change.
func (c *Client) forge(attempt, position uint64) func(h2 [32]byte) *Token {
	s := c.splice
	return func(h2 [32]byte) *Token {
		return &Token{
			Session: s.id, Attempt: attempt, Position: position, Proof: proof(s.secret, "client", h2, s.id, attempt, position),
		}
	}
}

// tryToken says hello with a token and gives the code of the refusal.
func tryToken(t *testing.T, conn io.ReadWriteCloser, n byte, serverKey []byte, token func(h2 [32]byte) *Token) int {
	t.Helper()
	hello := Hello{Features: featureResume, MaxMessage: maxMessage}
	_, _, err := sayHello(conn, identity(n).key, serverKey, &hello, token)
	var no *Error
	require.ErrorAs(t, err, &no)
	require.True(t, no.Remote)
	return no.Code
}

// badTokens shows that no bad token touches the session of c, which is alice's
// and speaks to an echo; a new session replaces it in the end.
func badTokens(t *testing.T, c *Client, dial func() net.Conn) {
	_, err := c.Resume(dial(), false)
	require.NoError(t, err)
	echoes(t, c.Link, 40)
	require.NoError(t, c.Ping(1))
	require.NoError(t, c.Ping(2))
	c.splice.mu.Lock()
	told, arrived := c.splice.strand.told, c.splice.arrived
	c.splice.mu.Unlock()
	require.Greater(t, told, uint64(ackStep))
	change := func(token func([32]byte) *Token, how func(*Token)) func([32]byte) *Token {
		return func(h2 [32]byte) *Token {
			k := token(h2)
			how(k)
			return k
		}
	}
	elsewhere := func(token func([32]byte) *Token, of func([32]byte) [32]byte) func([32]byte) *Token {
		return func(h2 [32]byte) *Token { return token(of(h2)) }
	}
	try := func(n byte, token func([32]byte) *Token) int { return tryToken(t, dial(), n, c.serverKey, token) }
	require.Equal(t, codeNoSession, try(1, change(c.forge(9, arrived), func(k *Token) { k.Proof[31] ^= 1 })), "wrong proof")
	require.Equal(t, codeNoSession, try(1, change(c.forge(9, arrived), func(k *Token) { k.Attempt++ })), "proof of another attempt")
	require.Equal(t, codeNoSession, try(1, change(c.forge(9, arrived), func(k *Token) { k.Position-- })), "proof of another position")
	require.Equal(t, codeNoSession, try(1, elsewhere(c.forge(9, arrived), func(h [32]byte) [32]byte { h[31] ^= 1; return h })),
		"proof of another handshake")
	require.Equal(t, codeNoSession, try(1, elsewhere(c.forge(9, arrived), func([32]byte) (h [32]byte) { return h })), "proof of none")
	require.Equal(t, codeNoSession, try(1, change(c.forge(9, arrived), func(k *Token) { k.Anew = true; k.Proof[0] ^= 1 })),
		"wrong proof, anew")
	require.Equal(t, codeNoSession, try(2, c.forge(9, arrived)), "another key")
	require.Equal(t, codeNoSession, try(1, c.forge(1, arrived)), "an old attempt")
	require.Equal(t, codeProtocol, try(1, c.forge(9, arrived+1<<40)), "position beyond what was sent")
	require.Equal(t, codeProtocol, try(1, c.forge(9, 0)), "position before what was acknowledged")
	require.Equal(t, codeNoSession, try(1, change(c.forge(9, arrived), func(k *Token) { k.Session[3] ^= 1 })), "unknown id")
	require.NoError(t, c.Ping(3))
	_, err = c.Resume(dial(), false)
	require.NoError(t, err)
	require.NoError(t, c.Ping(4))
	require.Equal(t, uint64(2), c.splice.attempt)

	unknown := change(c.forge(9, arrived), func(k *Token) { k.Anew = true; k.Session[3] ^= 1 })
	hello := Hello{Features: featureResume, MaxMessage: maxMessage}
	sec, welcome, err := sayHello(dial(), c.key, c.serverKey, &hello, unknown)
	require.NoError(t, err)
	require.False(t, welcome.Resumed)
	require.NotEqual(t, c.splice.id, welcome.Session)
	hello.Token = nil
	anew := newClient(sec, welcome, c.key, hello, LinkConfig{MaxMessage: maxMessage})
	<-c.Done()
	var why *Error
	require.ErrorAs(t, c.Err(), &why)
	require.Equal(t, codeReplaced, why.Code)
	require.NoError(t, anew.Ping(1))
	over(anew)
}

func TestBadTokens(t *testing.T) {
	s := newSite(t, time.Minute, LinkConfig{Handlers: theirHandlers()})
	badTokens(t, s.dial(1, LinkConfig{}), s.conn)
	s.wait()
}

// cutOff breaks the connection of a client and waits until it knows.
func cutOff(t *testing.T, c *Client) {
	t.Helper()
	c.splice.mu.Lock()
	require.NotNil(t, c.splice.strand)
	conn := c.splice.strand.sec.conn
	c.splice.mu.Unlock()
	conn.Close()
	require.NoError(t, c.WaitLost())
}

// A client hears why its session ended while it was away, if it must not come
// back; else that there is none, or it gets another.
func TestEndedMeanwhile(t *testing.T) {
	for code, want := range map[int]int{
		codeReplaced: codeReplaced, codeKicked: codeKicked, codeRevoked: codeRevoked, 300: 300,
		codeShutdown: codeNoSession, codeLimit: codeNoSession,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, time.Minute, LinkConfig{})
			c := s.dial(1, LinkConfig{})
			cutOff(t, c)
			l := <-s.links
			l.Close(code, "go")
			<-l.Done() // it waits 5 seconds for the client
			require.Equal(t, codeNoSession, tryToken(t, s.conn(), 2, s.hub.public(), c.forge(7, 0)), "somebody else")
			_, err := c.Resume(s.conn(), false)
			var no *Error
			require.ErrorAs(t, err, &no)
			require.Equal(t, want, no.Code)
			<-c.Done()
			require.Equal(t, no, c.Err())
			s.wait()
		})
	}
}

// One that comes back in time reads it in the stream.
func TestClosedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, time.Minute, LinkConfig{})
		c := s.dial(1, LinkConfig{})
		cutOff(t, c)
		l := <-s.links
		require.NoError(t, l.Send("bye", 0, []byte("last words")))
		l.Close(codeKicked, "go")
		_, err := c.Resume(s.conn(), false)
		require.NoError(t, err)
		<-c.Done()
		require.Equal(t, &Error{Code: codeKicked, Text: "go", Remote: true}, c.Err())
		<-l.Done()
		require.True(t, l.closeGot)
		s.wait()
	})
}

// When grace is over, both sides' sessions are.
func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3*time.Second, LinkConfig{Handlers: theirHandlers()})
		c := s.dial(1, LinkConfig{})
		for range 5 {
			cutOff(t, c)
			<-time.After(2 * time.Second)
			_, err := c.Resume(s.conn(), false)
			require.NoError(t, err)
			require.NoError(t, c.Ping(1))
		}
		cutOff(t, c)
		l := <-s.links
		<-l.Done()
		require.ErrorIs(t, l.Err(), ErrLost)
		<-c.Done()
		require.ErrorIs(t, c.Err(), ErrLost)
		require.Equal(t, codeNoSession, tryToken(t, s.conn(), 1, s.hub.public(), c.forge(9, 0)))
		s.wait()
	})
}

// A client that comes too late gets another session if it wants one.
func TestAnew(t *testing.T) {
	s := newSite(t, time.Minute, LinkConfig{Handlers: theirHandlers()})
	c := s.dial(1, LinkConfig{})
	cutOff(t, c)
	l := <-s.links
	_ = l.below.Close()
	<-l.Done()
	d, err := c.Resume(s.conn(), true)
	require.NoError(t, err)
	require.NotSame(t, c, d)
	<-c.Done()
	require.ErrorIs(t, c.Err(), ErrLost)
	require.NotEqual(t, c.splice.id, d.splice.id)
	cutOff(t, d)
	again, err := d.Resume(s.conn(), true)
	require.NoError(t, err)
	require.Same(t, d, again)
	require.NoError(t, d.Ping(1))
	over(d)
	s.wait()
}
