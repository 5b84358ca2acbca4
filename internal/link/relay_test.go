package link

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
)

const relayWindow = 128 << 10

var pipeOpen = wire.PipeOpen{Opener: "a", Target: "b"}

// hub is a server's part between clients, each over a link of its own.
type hub struct {
	t     testing.TB
	links map[string]*Link // the server's ends, by the client's name
	here  atomic.Int32     // ends of pipes on their openers' links; read after synctest.Wait
	there atomic.Int32     // and on their targets'

	answered atomic.Int32 // pipes whose targets have answered

	wrap func(*memnet.Conn) net.Conn // what the server's ends are
}

// hubWrap is what hubs are made with; see TestRelayWithoutWaiting.
var hubWrap = func(c *memnet.Conn) net.Conn { return c }

func newHub(t testing.TB) *hub {
	return &hub{t: t, links: map[string]*Link{}, wrap: hubWrap}
}

// join makes the server's end of a client's link.
func (h *hub) join(name string, conn *memnet.Conn) {
	cfg := &Config{OpenPipe: func(s *Stream, open wire.PipeOpen) {
		to := h.links[open.Target]
		count := func(n *atomic.Int32) func() { return func() { n.Add(1) } }
		if err := Relay(s, to, open, relayWindow, RelayEvents{Here: count(&h.here), There: count(&h.there),
			Answered: count(&h.answered)}); err != nil {
			s.Reject(channel.CodeNotConnected, "")
		}
	}}
	h.links[name] = start(h.t, h.wrap(conn), name, cfg)
}

// client is a link that takes what pipes are opened to it.
func (h *hub) client(name string, net memnet.Config) (*Link, <-chan *Stream) {
	c, s := memnet.Pipe(net)
	h.join(name, s)
	pipes := make(chan *Stream, 100)
	l := start(h.t, c, "server", &Config{Initiator: true, OpenPipe: func(s *Stream, _ wire.PipeOpen) {
		s.Accept()
		pipes <- s
	}})
	return l, pipes
}

// rawClient is a client that the test plays.
func (h *hub) rawClient(name string, buffer int) *raw {
	c, s := memnet.Pipe(memnet.Config{Buffer: buffer})
	h.join(name, s)
	h.t.Cleanup(func() { _ = c.Close() })
	return &raw{t: h.t, conn: c}
}

func (h *hub) requireForgotten(links ...*Link) {
	h.t.Helper()
	synctest.Wait()
	for _, l := range h.links {
		links = append(links, l)
	}
	for _, l := range links {
		require.Empty(h.t, l.streams)
		require.Zero(h.t, l.remote)
		require.Zero(h.t, l.sched.queued)
		require.Zero(h.t, l.sched.relayed)
	}
}

// requireClosed asserts how many pipes have ended on both sides.
func (h *hub) requireClosed(n int) {
	h.t.Helper()
	require.EqualValues(h.t, n, h.here.Load())
	require.EqualValues(h.t, n, h.there.Load())
	require.EqualValues(h.t, n, h.answered.Load())
}

func (h *hub) pipe(a *Link, to string, pipes <-chan *Stream) (s, p *Stream) {
	h.t.Helper()
	s, err := a.OpenPipe(wire.PipeOpen{Opener: "a", Target: to})
	require.NoError(h.t, err)
	return s, <-pipes
}

func TestRelayCarriesBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		a, _ := h.client("a", memnet.Config{Seed: 1, Chunk: 9000})
		b, pipes := h.client("b", memnet.Config{Seed: 2, Chunk: 70000})
		s, p := h.pipe(a, "b", pipes)
		const n = 3 << 20
		body := make([]byte, n)
		for i := range body {
			body[i] = byte(i * i >> 5)
		}
		for _, ends := range [][2]*Stream{{s, p}, {p, s}} {
			go func() {
				_, _ = ends[0].Write(body)
				_ = ends[0].CloseWrite()
			}()
			got, err := io.ReadAll(ends[1])
			require.NoError(t, err)
			require.Equal(t, body, got)
		}
		require.NoError(t, s.Close())
		require.NoError(t, p.Close())
		h.requireForgotten(a, b)
		h.requireClosed(1)
	})
}

func TestRelayPassesEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(s *Stream)
		read func(error) bool
	}{
		"close": {func(s *Stream) { _ = s.Close() }, func(err error) bool { return err == io.EOF }},
		"reason": {func(s *Stream) {
			s.CloseWithReason(300, "so")
		}, func(err error) bool { e, ok := err.(*channel.CloseError); return ok && e.Code == 300 && e.Text == "so" }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t)
				a, _ := h.client("a", memnet.Config{})
				b, pipes := h.client("b", memnet.Config{})
				for i := range 2 {
					s, p := h.pipe(a, "b", pipes)
					ends := [2]*Stream{s, p}
					test.end(ends[i])
					_, err := ends[1-i].Read(make([]byte, 1))
					require.Truef(t, test.read(err), "%v", err)
					synctest.Wait()
					_, err = ends[1-i].Write([]byte("x"))
					require.Error(t, err, "STOP has come")
					require.NoError(t, ends[1-i].Close())
					h.requireForgotten(a, b)
					h.requireClosed(i + 1)
				}
			})
		})
	}
}

// Who sends more than it may ends its own link and nobody else's.
func TestRelayAudits(t *testing.T) {
	openFrame := pipeOpen.Append(nil, 1)
	for name, test := range map[string]struct {
		opener []byte // what the opener, a, sends after OPEN
		target []byte // what the target, b, sends on stream 2
	}{
		"data beyond its credit":     {opener: data(1, 65537)},
		"data after the end":         {opener: append(empty(wire.TypeEnd, 1), data(1, 1)...)},
		"end after reset":            {opener: append(reason(wire.TypeReset, 1, 0), empty(wire.TypeEnd, 1)...)},
		"accept of its own":          {opener: empty(wire.TypeAccept, 1)},
		"window goes back":           {opener: append(wire.AppendWindow(nil, 1, 70000), wire.AppendWindow(nil, 1, 69000)...)},
		"accept twice":               {target: append(empty(wire.TypeAccept, 2), empty(wire.TypeAccept, 2)...)},
		"accept after the end":       {target: append(empty(wire.TypeEnd, 2), empty(wire.TypeAccept, 2)...)},
		"answer beyond its credit":   {target: data(2, 65537)},
		"window of target too low":   {target: wire.AppendWindow(nil, 2, 3)},
		"data after reset of target": {target: append(reason(wire.TypeReset, 2, 14), data(2, 1)...)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t)
				a, b := h.rawClient("a", 1<<20), h.rawClient("b", 1<<20)
				c, _ := h.client("c", memnet.Config{})
				d, pipes := h.client("d", memnet.Config{})
				s, p := h.pipe(c, "d", pipes)
				a.write(openFrame)
				require.Equal(t, []string{"OPEN 2"}, b.lines())
				bad, good, goodID := a, b, uint32(2)
				if test.target != nil {
					bad, good, goodID = b, a, 1
				}
				bad.write(test.opener, test.target)
				lines := bad.lines()
				require.Equal(t, "CLOSE 0 code 1", lines[len(lines)-1])
				require.NoError(t, bad.conn.Close())
				var resets, others int
				for _, f := range good.read() {
					switch {
					case f.Type == wire.TypeReset && f.ID == goodID, f.Type == wire.TypeEnd && f.ID == goodID:
						resets++
					case f.Type == wire.TypeClose:
						others++
					}
				}
				require.Equal(t, 1, resets)
				require.Zero(t, others)
				good.write(reason(wire.TypeReset, goodID, 0), empty(wire.TypePing, 5))
				require.Contains(t, good.lines(), "PONG 5")
				_, err := s.Write([]byte("still here"))
				require.NoError(t, err)
				buf := make([]byte, 10)
				_, err = io.ReadFull(p, buf)
				require.NoError(t, err)
				require.NoError(t, s.Close())
				require.NoError(t, p.Close())
				h.requireForgotten(c, d)
				h.requireClosed(2)
			})
		})
	}
}

// A target that does not read holds a window at most in the server, and stops only its own pipe.
func TestRelayOfAStalledTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		a, _ := h.client("a", memnet.Config{})
		cb, sb := memnet.Pipe(memnet.Config{Buffer: 1000})
		h.join("b", sb)
		r := &raw{t: t, conn: cb}
		defer cb.Close()
		_, pipes := h.client("c", memnet.Config{})
		s, err := a.OpenPipe(pipeOpen)
		require.NoError(t, err)
		go func() { _, _ = s.Write(make([]byte, 10<<20)) }()
		synctest.Wait()
		r.silent = true
		cb.Stall()
		_, err = cb.Write(wire.AppendWindow(nil, 2, 5<<20))
		require.NoError(t, err)
		synctest.Wait()
		require.LessOrEqual(t, h.links["b"].Queued(), relayWindow+relayWindow/1024)
		cb.Resume()
		buf, total := make([]byte, 4096), 0
		for range 200 {
			n, err := cb.Read(buf)
			require.NoError(t, err)
			total += n
			_, err = cb.Write(wire.AppendProgress(nil, uint64(total)))
			require.NoError(t, err)
			synctest.Wait()
			require.LessOrEqual(t, h.links["b"].Queued(), relayWindow+relayWindow/1024)
		}
		cb.Stall()

		s2, p2 := h.pipe(a, "c", pipes)
		go func() { _, _ = s2.Write(make([]byte, 3<<20)); _ = s2.CloseWrite() }()
		n, err := io.Copy(io.Discard, p2)
		require.NoError(t, err)
		require.EqualValues(t, 3<<20, n)
		_ = p2.Close()
	})
}

func TestRelayWhenALinkDies(t *testing.T) {
	for name, first := range map[string]bool{"opener": true, "target": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t)
				a, _ := h.client("a", memnet.Config{})
				b, pipes := h.client("b", memnet.Config{})
				s, p := h.pipe(a, "b", pipes)
				dies, other := a, p
				if !first {
					dies, other = b, s
				}
				go func() { _, _ = other.Write(make([]byte, 5<<20)) }()
				synctest.Wait()
				dies.Cut(net.ErrClosed)
				_, err := other.Read(make([]byte, 1))
				require.ErrorIs(t, err, channel.CodeGone)
				require.NoError(t, other.Close())
				h.requireForgotten()
				h.requireClosed(1)
			})
		})
	}
}

// What a relay has to tell an end that does not read counts as a stream of it.
func TestRelayFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		a, b := h.rawClient("a", 200), h.rawClient("b", 10000)
		for i := uint32(1); h.links["a"].Context().Err() == nil; i++ {
			require.Less(t, i, uint32(3000))
			go func() { _, _ = a.conn.Write(append(pipeOpen.Append(nil, 2*i-1), empty(wire.TypeEnd, 2*i-1)...)) }()
			if len(b.read()) > 0 {
				_, _ = b.conn.Write(append(reason(wire.TypeReset, 2*i, 14), reason(wire.TypeStop, 2*i, 14)...))
			}
		}
		var lost *channel.LostError
		require.ErrorAs(t, context.Cause(h.links["a"].Context()), &lost)
		require.ErrorContains(t, lost, "protocol error")
		require.NoError(t, h.links["b"].Context().Err())
	})
}

// A window that is passed on in part is passed on in whole when the rest is little: who allowed it
// waits for it to be used.
func TestRelayPassesTheLastOfAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		a, b := h.rawClient("a", 1<<20), h.rawClient("b", 1<<20)
		a.write(pipeOpen.Append(nil, 1))
		b.read()
		b.write(wire.AppendWindow(nil, 2, relayWindow+100))
		require.Equal(t, []string{"WINDOW 1 131072"}, a.lines())
		a.write(data(1, 101))
		b.read()
		require.Equal(t, []string{"WINDOW 1 131172"}, a.lines())
	})
}

// Ends that come from all sides at once leave nothing behind.
func TestRelayRaces(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t)
			a, _ := h.client("a", memnet.Config{Seed: 1, Chunk: 500})
			b, pipes := h.client("b", memnet.Config{Seed: 2, Chunk: 500})
			s, p := h.pipe(a, "b", pipes)
			for _, x := range []*Stream{s, p} {
				go func() { _, _ = x.Write(make([]byte, 100000)); _ = x.Close() }()
				go func() { _, _ = io.CopyN(io.Discard, x, 70000); x.CloseWithReason(300, "") }()
			}
			go h.links["b"].Cut(context.Canceled)
			go func() { _, _ = a.OpenPipe(pipeOpen) }()
			synctest.Wait()
			_ = b
			a.Cut(context.Canceled)
			h.requireForgotten()
		})
	}
}
