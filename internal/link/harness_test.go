package link

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/channel"
	"github.com/pysock/pysock/internal/memnet"
	"github.com/pysock/pysock/internal/wire"
	"github.com/pysock/pysock/keys"
)

// pair makes two links over a connection in memory. They are cut when the test ends.
func pair(t testing.TB, a, b *Config) (*Link, *Link) {
	t.Helper()
	return pairOver(t, memnet.Config{}, a, b)
}

func pairOver(t testing.TB, net memnet.Config, a, b *Config) (*Link, *Link) {
	t.Helper()
	ca, cb := memnet.Pipe(net)
	if a == nil {
		a = &Config{}
	}
	a.Initiator = true
	return start(t, ca, "b", a), start(t, cb, "a", b)
}

// start makes a link that is cut when the test ends.
func start(t testing.TB, conn net.Conn, peer string, cfg *Config) *Link {
	if cfg == nil {
		cfg = &Config{}
	}
	c := *cfg
	if c.Peer == nil {
		c.Peer = &channel.Peer{Name: peer}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l := New(conn, &c)
	t.Cleanup(func() {
		l.Cut(channel.ErrClosed)
		l.Wait()
	})
	return l
}

// raw is a peer that the test plays by hand. It lives in a synctest bubble.
type raw struct {
	t    testing.TB
	conn *memnet.Conn
	rest []byte

	total, told int  // bytes of frames read, and told by PROGRESS
	silent      bool // PROGRESS is not sent
}

// frame is one that the link has written.
type frame struct {
	wire.Header
	p []byte
}

// String is such that tests can name frames in a line.
func (f frame) String() string {
	s := fmt.Sprintf("%v %d", f.Type, f.ID)
	switch f.Type {
	case wire.TypeRefuse, wire.TypeReset, wire.TypeStop, wire.TypeClose:
		r, _ := wire.ParseReason(f.Type, f.p)
		return fmt.Sprintf("%s code %d", s, r.Code)
	case wire.TypeAnswer:
		if f.Flags.Has(wire.FlagError) {
			e, _ := wire.ParseErrorBody(f.p)
			return fmt.Sprintf("%s error %d", s, e.Code)
		}
	case wire.TypeCredit:
		c, _ := wire.ParseCredit(f.p)
		return fmt.Sprintf("%s %d %d", s, c.Taken, c.Allowed)
	case wire.TypeWindow:
		n, _ := wire.ParseWindow(f.p)
		return fmt.Sprintf("%s %d", s, n)
	case wire.TypeProbe:
		n, _ := wire.ParseProbe(f.p)
		return fmt.Sprintf("%s %d", s, n)
	case wire.TypeGap:
		n, _ := wire.ParseGap(f.p)
		return fmt.Sprintf("%s %d", s, n)
	case wire.TypeSkip:
		n, _ := wire.ParseSkip(f.p)
		return fmt.Sprintf("%s %d", s, n)
	case wire.TypeAnnounce, wire.TypeAnswerAnnounce:
		n, _ := wire.ParseAnnounce(f.p)
		return fmt.Sprintf("%s %d", s, n)
	}
	return s
}

// against makes a link and the peer that the test plays.
func against(t testing.TB, cfg *Config) (*Link, *raw) {
	t.Helper()
	return againstOver(t, memnet.Config{Buffer: 16 << 20}, cfg)
}

func againstOver(t testing.TB, net memnet.Config, cfg *Config) (*Link, *raw) {
	t.Helper()
	a, b := memnet.Pipe(net)
	t.Cleanup(func() { _ = a.Close() })
	return start(t, b, "raw", cfg), &raw{t: t, conn: a}
}

// write writes frames.
func (r *raw) write(frames ...[]byte) {
	r.t.Helper()
	_, err := r.conn.Write(bytes.Join(frames, nil))
	require.NoError(r.t, err)
}

// read returns the frames that the link has written until it has nothing to do any more.
func (r *raw) read() (frames []frame) {
	r.t.Helper()
	buf := make([]byte, 64<<10)
	for synctest.Wait(); r.conn.Buffered() > 0; synctest.Wait() {
		n, err := r.conn.Read(buf)
		require.NoError(r.t, err)
		r.rest = append(r.rest, buf[:n]...)
		r.total += n
		if r.total-r.told >= wire.ProgressInterval && !r.silent {
			r.told = r.total
			_, _ = r.conn.Write(wire.AppendProgress(nil, uint64(r.total))) // the link may have gone
		}
	}
	for {
		n, err := wire.Complete(r.rest)
		require.NoError(r.t, err)
		if n == 0 {
			return frames
		}
		h, _ := wire.ParseHeader(r.rest)
		frames = append(frames, frame{h, bytes.Clone(r.rest[wire.HeaderSize:n])})
		r.rest = r.rest[n:]
	}
}

// lines is read in words, without PROGRESS.
func (r *raw) lines() []string {
	r.t.Helper()
	lines := []string{}
	for _, f := range r.read() {
		if f.Type != wire.TypeProgress {
			lines = append(lines, f.String())
		}
	}
	return lines
}

// eof reads the end of the link's direction.
func (r *raw) eof() {
	r.t.Helper()
	_, err := r.conn.Read(make([]byte, 1))
	require.ErrorIs(r.t, err, io.EOF)
}

// Frames that tests write.

func chFrame(id uint32, name string) []byte {
	return wire.AppendChannel(nil, id, 0, wire.KindApplication, name)
}

func msgFrames(id uint32, n int) []byte {
	return wire.AppendMessage(nil, id, 0, wire.MessageStart{}, make([]byte, n))
}

// crew is the head of a group message.
var crew = wire.GroupHead{Name: "alice", Key: aliceKey, Group: "crew"}

var aliceKey = func() (b [wire.KeySize]byte) {
	k, err := keys.NewPrivateKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		panic(err)
	}
	copy(b[:], k.Public().Bytes())
	return b
}()

func groupFrames(id uint32, n int) []byte {
	return wire.AppendMessage(nil, id, 0, wire.MessageStart{}, append(crew.Append(nil), make([]byte, n)...))
}

func reqFrames(id, request uint32, n int) []byte {
	return wire.AppendMessage(nil, id, wire.FlagRequest,
		wire.MessageStart{Request: request, Allowance: wire.MinAllowance}, make([]byte, n))
}

func credit(id uint32, taken, allowed uint64) []byte {
	return wire.Credit{Taken: taken, Allowed: allowed}.Append(nil, id)
}

func reason(t wire.Type, id uint32, code uint16) []byte {
	return wire.AppendReason(nil, t, id, wire.Reason{Code: code})
}

func empty(t wire.Type, id uint32) []byte { return wire.AppendEmpty(nil, t, id) }

func open(id uint32) []byte { return wire.AppendOpenStream(nil, id, "s") }

func data(id uint32, n int) []byte {
	var b []byte
	for ; n > 0; n -= min(n, wire.MaxPayload) {
		b = wire.AppendData(b, id, make([]byte, min(n, wire.MaxPayload)))
	}
	return b
}

// blocking is a mux with a handler on "h" that blocks until its ctx ends.
func blocking() *channel.Mux {
	var mux channel.Mux
	mux.Handle("h", block)
	return &mux
}
