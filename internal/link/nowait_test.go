package link

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

// eagerConn is a tryRecordConn over a connection in memory: what that has no room for is the rest.
type eagerConn struct {
	*memnet.Conn
	in  *bufio.Reader
	buf []byte

	mu      sync.Mutex
	tail    []byte
	writes  int // without waiting
	flushes int // of a rest
}

func eager(c *memnet.Conn) *eagerConn { return &eagerConn{Conn: c, in: bufio.NewReaderSize(c, 5000)} }

func (c *eagerConn) RecordRoom() (before, after int) { return chopBefore, chopAfter }

func (c *eagerConn) CanTry() bool { return true }

func (c *eagerConn) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *eagerConn) ReadRecord() ([]byte, error) {
	c.buf = make([]byte, 3000)
	n, err := c.in.Read(c.buf)
	return c.buf[:n], err
}

func (c *eagerConn) TryReadRecord() ([]byte, error) {
	if c.in.Buffered() == 0 {
		return nil, nil
	}
	return c.ReadRecord()
}

func (c *eagerConn) WriteRecord(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.flush(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b[chopBefore:])
	clear(b[:len(b)+chopAfter])
	return n, err
}

func (c *eagerConn) TryWriteRecord(b []byte) (rest bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tail) > 0 {
		panic("a record before the rest of another")
	}
	c.writes++
	n, err := c.Conn.TryWrite(b[chopBefore:])
	c.tail = append([]byte{}, b[chopBefore+n:]...)
	clear(b[:len(b)+chopAfter])
	return len(c.tail) > 0, err
}

func (c *eagerConn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tail) > 0 {
		c.flushes++
	}
	return c.flush()
}

// flush writes the tail. Call it with mu held.
func (c *eagerConn) flush() error {
	n, err := c.Conn.Write(c.tail)
	c.tail = c.tail[n:]
	return err
}

// lendingConn is an outlet and nonblocking: an eagerConn that lends buffers, and refuses to write now and then.
type lendingConn struct {
	*eagerConn
	asked int
}

func lending(c *memnet.Conn) *lendingConn { return &lendingConn{eagerConn: eager(c)} }

func (c *lendingConn) Lend() *[]byte {
	b := make([]byte, 64<<10)
	return &b
}

func (c *lendingConn) TakeBack(*[]byte) {}

func (c *lendingConn) WriteLent(b *[]byte, n int) error {
	_, err := c.WriteRecord((*b)[:n])
	return err
}

func (c *lendingConn) TryWriteLent(b *[]byte, n int) (ok, rest bool, err error) {
	if c.asked++; c.asked%3 == 0 {
		return false, false, nil
	}
	rest, err = c.TryWriteRecord((*b)[:n])
	return true, rest, err
}

// TestRelayWithoutWaiting: all that relays do is the same over connections that need not wait.
func TestRelayWithoutWaiting(t *testing.T) {
	plain := hubWrap
	defer func() { hubWrap = plain }()
	for name, wrap := range map[string]func(*memnet.Conn) net.Conn{
		"written": func(c *memnet.Conn) net.Conn { return eager(c) },
		"lent":    func(c *memnet.Conn) net.Conn { return lending(c) },
	} {
		hubWrap = wrap
		for _, test := range []func(*testing.T){TestRelayCarriesBothDirections, TestRelayPassesEnds, TestRelayAudits,
			TestRelayOfAStalledTarget,
			TestRelayWhenALinkDies, TestRelayFlood, TestRelayPassesTheLastOfAWindow, TestRelayRaces, TestRelayAnswersStop,
			TestRelayOfSmallPieces} {
			t.Run(name, test)
		}
	}
}

// TestAskerAndAnswererWrite: a request and its answer are written by who makes them, and what the
// other side's reader brings about by that.
func TestAskerAndAnswererWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memnet.Pipe(memnet.Config{})
		ea, eb := eager(ca), eager(cb)
		var mux channel.Mux
		mux.Handle("echo", func(ctx context.Context, _ channel.Conn, m *channel.Message) error { return m.Reply(ctx, m.Body) })
		a := start(t, ea, "b", &Config{Initiator: true})
		b := start(t, eb, "a", &Config{Mux: &mux})
		b.Run()
		for i := range 10 {
			m, err := a.Request(t.Context(), "echo", channel.Raw, []byte(fmt.Sprint(i)))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), string(m.Body))
		}
		synctest.Wait()
		require.GreaterOrEqual(t, ea.writes, 10)
		require.GreaterOrEqual(t, eb.writes, 10)
	})
}

// TestManyRequestsAtOnce: those that cannot be written by who makes them are by a writer.
func TestManyRequestsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memnet.Pipe(memnet.Config{Buffer: 100})
		var mux channel.Mux
		mux.HandleConcurrent("echo", 10, func(ctx context.Context, _ channel.Conn, m *channel.Message) error {
			return m.Reply(ctx, m.Body)
		})
		a := start(t, lending(ca), "b", &Config{Initiator: true})
		b := start(t, eager(cb), "a", &Config{Mux: &mux})
		b.Run()
		var asking sync.WaitGroup
		for i := range 100 {
			asking.Go(func() {
				m, err := a.Request(t.Context(), "echo", channel.Raw, make([]byte, i*20))
				require.NoError(t, err)
				require.Len(t, m.Body, i*20)
			})
		}
		asking.Wait()
	})
}

// TestNobodyWaitsForASlowOne: who brings frames for a link whose connection takes nothing more is
// not held up by it, and the rest is written when it does.
func TestNobodyWaitsForASlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t)
		slow := map[string]*eagerConn{}
		hub.wrap = func(c *memnet.Conn) net.Conn {
			e := eager(c)
			slow[e.RemoteAddr().String()] = e
			return e
		}
		a, _ := hub.client("a", memnet.Config{})
		deaf := hub.rawClient("b", 1000)
		s, err := a.OpenPipe(pipeOpen)
		require.NoError(t, err)
		_, err = s.Write(make([]byte, 20_000))
		require.NoError(t, err)
		synctest.Wait()
		_, err = a.Ping(t.Context())
		require.NoError(t, err, "the server still reads")
		require.Equal(t, 1000, deaf.conn.Buffered())

		got := 0
		for got < 20_000 {
			for _, f := range deaf.read() {
				if f.Type == wire.TypeData {
					got += f.Len
				}
			}
		}
		flushes := 0
		for _, e := range slow {
			flushes += e.flushes
		}
		require.NotZero(t, flushes, "a rest was flushed")
	})
}

// TestWriteErrorWithoutWaiting: an error of the connection ends the link as one of the writer's does.
func TestWriteErrorWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memnet.Pipe(memnet.Config{})
		a := start(t, eager(ca), "b", &Config{Initiator: true})
		require.NoError(t, cb.Close())
		_, err := a.Request(t.Context(), "echo", channel.Raw, nil)
		var lost *channel.LostError
		require.ErrorAs(t, err, &lost)
		<-a.Done()
	})
}

// TestWritesGoOnWhileAPipeIsOpened: whoever decides about a pipe holds up the reader only.
func TestWritesGoOnWhileAPipeIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := memnet.Pipe(memnet.Config{})
		release := make(chan struct{})
		a := start(t, ca, "b", &Config{Initiator: true})
		b := start(t, eager(cb), "a", &Config{OpenPipe: func(s *Stream, _ wire.PipeOpen) {
			<-release
			s.Reject(channel.CodeRefused, "")
		}})
		_, err := a.OpenPipe(pipeOpen)
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, b.Send(t.Context(), "x", channel.Raw, []byte("meanwhile")))
		m, err := a.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "meanwhile", string(m.Body))
		close(release)
	})
}

// TestWhatCameBeforeAPipeIsOpened: what was read before the opening of a pipe does not wait for the
// decision about it: messages, and what is relayed.
func TestWhatCameBeforeAPipeIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux channel.Mux
		handled, opens := 0, 0
		mux.Handle("x", func(context.Context, channel.Conn, *channel.Message) error { handled++; return nil })
		release := make(chan struct{})
		ca, a := memnet.Pipe(memnet.Config{})
		cb, b := memnet.Pipe(memnet.Config{})
		to := start(t, b, "b", nil)
		l := start(t, eager(a), "a", &Config{Mux: &mux, OpenPipe: func(s *Stream, open wire.PipeOpen) {
			if opens++; opens == 2 {
				<-release
				s.Reject(channel.CodeRefused, "")
				return
			}
			nothing := func() {}
			require.NoError(t, Relay(s, to, open, relayWindow, RelayEvents{Here: nothing, There: nothing, Answered: nothing}))
		}})
		l.Run()
		t.Cleanup(func() { _, _ = ca.Close(), cb.Close() })
		ra, rb := &raw{t: t, conn: ca}, &raw{t: t, conn: cb}
		ra.write(pipeOpen.Append(nil, 1), chFrame(1, "x"))
		require.NotEmpty(t, rb.read())

		// The first record that is read, of 3000 bytes, ends before the second opening.
		ra.write(msgFrames(1, 5), msgFrames(1, 5), msgFrames(1, 5), data(1, 1500), data(1, 1600), pipeOpen.Append(nil, 3))
		synctest.Wait()
		require.Equal(t, 3, handled)
		require.NotEmpty(t, rb.read())
		close(release)
	})
}
