package secure

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pysock/pysock/keys"
	"github.com/stretchr/testify/require"
)

func TestHandshakeCarriesHelloAndVerdict(t *testing.T) {
	for _, size := range []int{0, 1, 300, MaxHello} {
		a, b := pipePair(t)
		ci, cr := configs(t)
		ci.Hello = bytes.Repeat([]byte("h"), size)
		cr.Gate = NewGate(0)
		ci.Gate = NewGate(1)
		var seen keys.PublicKey
		ci.VerifyPeer = func(k keys.PublicKey) error { seen = k; return nil }
		ch := initiateAsync(t.Context(), a, ci)
		p, err := Accept(t.Context(), b, cr)
		require.NoError(t, err)
		require.Equal(t, cr.Key.Public(), seen, "checked before message 3")
		require.Equal(t, ci.Key.Public(), p.PeerKey())
		require.True(t, bytes.Equal(ci.Hello, p.Hello()))
		require.Equal(t, b.RemoteAddr(), p.RemoteAddr())
		welcome := bytes.Repeat([]byte("w"), min(size, MaxWelcome))
		c, err := p.Welcome(t.Context(), welcome)
		require.NoError(t, err)
		r := <-ch
		require.NoError(t, r.err)
		require.True(t, bytes.Equal(welcome, r.c.Welcome()))
		r.c.CloseNow()
		c.CloseNow()
		_, err = p.Welcome(t.Context(), nil)
		require.ErrorIs(t, err, ErrDecided)
		require.ErrorIs(t, p.Refuse(t.Context(), 1, ""), ErrDecided)
		require.ErrorIs(t, p.Close(), ErrDecided)
	}
}

// What join starts to write goes out behind the verdict.
func TestWelcomeWith(t *testing.T) {
	a, b := pipePair(t)
	ci, cr := configs(t)
	ch := initiateAsync(t.Context(), a, ci)
	p, err := Accept(t.Context(), b, cr)
	require.NoError(t, err)
	wrote := make(chan error, 1)
	c, err := p.WelcomeWith(t.Context(), []byte("welcome"), func(c *Conn) {
		require.Equal(t, "welcome", string(c.Welcome()))
		require.Zero(t, c.out.keys.Nonce(), "nothing was sealed yet")
		go func() { _, err := c.Write([]byte("first")); wrote <- err }()
	})
	require.NoError(t, err)
	r := <-ch
	require.NoError(t, r.err)
	buf := make([]byte, 5)
	_, err = io.ReadFull(r.c, buf)
	require.NoError(t, err)
	require.Equal(t, "first", string(buf))
	require.NoError(t, <-wrote)
	_, err = p.WelcomeWith(t.Context(), nil, func(*Conn) { t.Error("called for an answered Pending") })
	require.ErrorIs(t, err, ErrDecided)
	r.c.CloseNow()
	c.CloseNow()
}

func TestRefuse(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (net.Conn, net.Conn){"pipe": pipePair, "tcp": tcpPair} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			ci, cr := configs(t)
			ch := initiateAsync(t.Context(), a, ci)
			p, err := Accept(t.Context(), b, cr)
			require.NoError(t, err)
			require.NoError(t, p.Refuse(t.Context(), 403, "go \x1b[31m away"))
			r := <-ch
			var refused *RefusedError
			require.ErrorAs(t, r.err, &refused)
			require.Equal(t, uint16(403), refused.Code)
			require.NotContains(t, r.err.Error(), "\x1b")
			_, err = a.Write([]byte("x"))
			require.Error(t, err, "the initiator closes")
		})
	}
}

// A verdict that cannot be encoded closes the connection.
func TestBadVerdict(t *testing.T) {
	for name, decide := range map[string]func(*Pending) error{
		"welcome": func(p *Pending) error { _, err := p.Welcome(t.Context(), make([]byte, MaxWelcome+1)); return err },
		"refuse":  func(p *Pending) error { return p.Refuse(t.Context(), 1, "\xff") },
		"close":   func(p *Pending) error { p.Close(); return net.ErrClosed },
	} {
		a, b := pipePair(t)
		ci, cr := configs(t)
		ch := initiateAsync(t.Context(), a, ci)
		p, err := Accept(t.Context(), b, cr)
		require.NoError(t, err)
		require.Error(t, decide(p), name)
		var truncated *TruncatedError
		require.ErrorAs(t, (<-ch).err, &truncated, name)
		require.Equal(t, "handshake", truncated.During)
	}
}

func TestBadConfig(t *testing.T) {
	k := newKey(t)
	long := string(make([]byte, 1<<16))
	for name, cfg := range map[string]*Config{
		"nil":      nil,
		"no key":   {VerifyPeer: anyKey},
		"no check": {Key: k},
		"hello":    {Key: k, VerifyPeer: anyKey, Hello: make([]byte, MaxHello+1)},
		"hellos":   {Key: k, VerifyPeer: anyKey, Hello: []byte{}, HelloFor: func([]byte) ([]byte, error) { return nil, nil }},
		"timeout":  {Key: k, VerifyPeer: anyKey, Timeout: -1},
		"name":     {Key: k, VerifyPeer: anyKey, Pipe: &Binding{Opener: long}},
	} {
		a, b := pipePair(t)
		_, err := Initiate(t.Context(), a, cfg)
		require.Error(t, err, name)
		_, err = b.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err, "conn must be closed")
	}
	a, b := pipePair(t)
	_, err := Accept(t.Context(), a, nil)
	require.Error(t, err)
	_, err = b.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

// The handshakes of a hop and of every pipe are different ones.
func TestBindingsDiffer(t *testing.T) {
	id := [16]byte{1}
	bindings := []*Binding{
		nil, {ID: id, Opener: "alice", Target: "bob"}, {ID: id, Opener: "bob", Target: "alice"},
		{ID: [16]byte{2}, Opener: "alice", Target: "bob"}, {ID: id, Opener: "aliceb", Target: "ob"}, {},
	}
	for i, bi := range bindings {
		for j, bj := range bindings {
			a, b := pipePair(t)
			ci, cr := configs(t)
			ci.Pipe, cr.Pipe = bi, bj
			x, y := initiateAsync(t.Context(), a, ci), acceptAsync(t.Context(), b, cr)
			ri, rr := <-x, <-y
			if i == j {
				require.NoError(t, ri.err)
				require.NoError(t, rr.err)
				ri.c.CloseNow()
				rr.c.CloseNow()
				continue
			}
			require.ErrorIs(t, ri.err, ErrHandshake)
			require.Error(t, rr.err)
		}
	}
}

func TestPeerKeyRejected(t *testing.T) {
	a, b := pipePair(t)
	ci, cr := configs(t)
	stranger := errors.New("a stranger")
	ci.VerifyPeer = func(keys.PublicKey) error { return stranger }
	x, y := initiateAsync(t.Context(), a, ci), acceptAsync(t.Context(), b, cr)
	ri, rr := <-x, <-y
	var rejected *PeerKeyError
	require.ErrorAs(t, ri.err, &rejected)
	require.ErrorIs(t, ri.err, stranger)
	require.Equal(t, cr.Key.Public(), rejected.Key)
	require.Contains(t, ri.err.Error(), cr.Key.Public().String())
	var truncated *TruncatedError
	require.ErrorAs(t, rr.err, &truncated, "message 3 must not have been sent")
}

func TestOwnKey(t *testing.T) {
	a, b := pipePair(t)
	ci, cr := configs(t)
	cr.Key = ci.Key
	x, y := initiateAsync(t.Context(), a, ci), acceptAsync(t.Context(), b, cr)
	require.ErrorIs(t, (<-x).err, ErrOwnKey)
	require.Error(t, (<-y).err)

	// And the responder's own check, which no honest initiator lets happen.
	_, err := cr.peerKey(cr.Key.ECDH().PublicKey())
	require.ErrorIs(t, err, ErrOwnKey)
}

// talk runs f, initiator or responder, against bytes; what it wrote is
// returned. If the bytes do not end it, the end of the stream does.
func talk(f func(net.Conn) error, in []byte) (wrote []byte, err error) {
	conn := &script{fixed: fixed{b: in}}
	err = f(conn)
	return conn.wrote, err
}

// script is a conn that gives what it is told to and keeps what is written.
type script struct {
	fixed
	wrote  []byte
	closed bool
}

func (s *script) Write(p []byte) (int, error)      { s.wrote = append(s.wrote, p...); return len(p), nil }
func (s *script) CloseWrite() error                { return nil }
func (s *script) Close() error                     { s.closed = true; return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

func TestResponderRejects(t *testing.T) {
	_, cr := configs(t)
	accept := func(c net.Conn) error { _, err := Accept(t.Context(), c, cr); return err }
	ok := local.preamble()
	v2 := Version{2, 7}.preamble()
	for name, tc := range map[string]struct {
		in    []byte
		want  error
		wrote []byte
	}{
		"http":        {[]byte("GET / HTTP/1.1\r\n\r\n"), ErrNotPySock, nil},
		"nothing":     {nil, io.ErrUnexpectedEOF, nil},
		"cut magic":   {[]byte("PYSO"), io.ErrUnexpectedEOF, nil},
		"short":       {append(ok[:], 0x04, 0xbf), ErrProtocol, nil},
		"long":        {append(ok[:], 0x04, 0xc1), ErrProtocol, nil},
		"cut length":  {append(ok[:], 0x04), io.ErrUnexpectedEOF, nil},
		"cut message": {append(append(ok[:], 0x04, 0xc0), make([]byte, 1215)...), io.ErrUnexpectedEOF, nil},
		"zero e":      {append(append(ok[:], 0x04, 0xc0), make([]byte, 1216)...), ErrHandshake, nil},
		"bad e1":      {append(append(ok[:], 0x04, 0xc0), bytes.Repeat([]byte{255}, 1216)...), ErrHandshake, nil},
		"version":     {append(v2[:], "whatever version 2 sends"...), nil, ok[:]},
	} {
		wrote, err := talk(accept, tc.in)
		require.Equal(t, tc.wrote, wrote, name)
		if tc.want != nil {
			require.ErrorIs(t, err, tc.want, name)
			continue
		}
		var v *VersionError
		require.ErrorAs(t, err, &v)
		require.Equal(t, VersionError{Local: Version{1, 0}, Remote: Version{2, 7}}, *v)
		require.Contains(t, err.Error(), "2.7")
	}
}

func TestInitiatorRejects(t *testing.T) {
	ci, _ := configs(t)
	initiate := func(c net.Conn) error { _, err := Initiate(t.Context(), c, ci); return err }
	own := local.preamble()
	v2 := Version{2, 0}.preamble()
	for name, tc := range map[string]struct {
		in   []byte
		want error
	}{
		"ssh":          {[]byte("SSH-2.0-OpenSSH_9.9\r\n"), ErrNotPySock},
		"nothing":      {nil, io.ErrUnexpectedEOF},
		"one byte":     {[]byte{4}, io.ErrUnexpectedEOF},
		"cut":          {append([]byte{0x04, 0xb0}, make([]byte, 1199)...), io.ErrUnexpectedEOF},
		"zeros":        {append([]byte{0x04, 0xb0}, make([]byte, 1200)...), ErrHandshake},
		"junk":         {append([]byte{0x04, 0xb0}, bytes.Repeat([]byte{9}, 1200)...), ErrHandshake},
		"nearly magic": {[]byte("PYTHON!!"), ErrNotPySock},
		"cut preamble": {[]byte("PYSOC"), io.ErrUnexpectedEOF},
		"own version":  {own[:], ErrProtocol},
		"version":      {v2[:], nil},
	} {
		wrote, err := talk(initiate, tc.in)
		require.Len(t, wrote, preambleSize+lengthSize+message1Size, name)
		if tc.want != nil {
			require.ErrorIs(t, err, tc.want, name)
			continue
		}
		var v *VersionError
		require.ErrorAs(t, err, &v)
		require.Equal(t, Version{2, 0}, v.Remote)
	}
}

// A newer minor version is welcome: its preamble is hashed as it was sent.
func TestMinorVersionTolerated(t *testing.T) {
	old := local
	a, b := pipePair(t)
	ci, cr := configs(t)
	hello := make(chan string, 1)
	go func() {
		p, err := Accept(t.Context(), b, cr)
		if err != nil {
			hello <- err.Error()
			return
		}
		hello <- string(p.Hello())
		p.Close()
	}()
	preamble := Version{old.Major, 9}.preamble()
	hs, err := ci.noise(true, preamble)
	require.NoError(t, err)
	msg, err := frame(preamble[:], func(b []byte) ([]byte, error) { return hs.WriteMessage(b, nil) })
	require.NoError(t, err)
	_, err = a.Write(msg)
	require.NoError(t, err)
	msg, err = readMessage2(a)
	require.NoError(t, err)
	_, err = hs.ReadMessage(nil, msg)
	require.NoError(t, err)
	msg, err = frame(nil, func(b []byte) ([]byte, error) { return hs.WriteMessage(b, []byte("from 1.9")) })
	require.NoError(t, err)
	_, err = a.Write(msg)
	require.NoError(t, err)
	require.Equal(t, "from 1.9", <-hello)
}

// deadConn fails writes, from the one given on.
type deadConn struct {
	net.Conn
	after int
}

func (d *deadConn) Write(p []byte) (int, error) {
	if d.after--; d.after < 0 {
		return 0, net.ErrClosed
	}
	return d.Conn.Write(p)
}

func TestWriteErrors(t *testing.T) {
	for n := range 2 { // message 1, message 3
		a, b := pipePair(t)
		ci, cr := configs(t)
		y := acceptAsync(t.Context(), b, cr)
		_, err := Initiate(t.Context(), &deadConn{a, n}, ci)
		require.ErrorIs(t, err, net.ErrClosed)
		require.Error(t, (<-y).err)
	}
	for n := range 2 { // message 2, verdict
		a, b := pipePair(t)
		ci, cr := configs(t)
		x := initiateAsync(t.Context(), a, ci)
		r := <-acceptAsync(t.Context(), &deadConn{b, n}, cr)
		require.ErrorIs(t, r.err, net.ErrClosed)
		require.Error(t, (<-x).err)
	}
	a, b := pipePair(t)
	ci, cr := configs(t)
	x := initiateAsync(t.Context(), a, ci)
	p, err := Accept(t.Context(), &deadConn{b, 1}, cr)
	require.NoError(t, err)
	require.ErrorIs(t, p.Refuse(t.Context(), 1, "no"), net.ErrClosed)
	require.Error(t, (<-x).err)
	require.Error(t, func() error {
		_, err := talk(func(c net.Conn) error { _, err := Accept(t.Context(), &deadConn{c, 0}, cr); return err }, []byte("PYSOCK\x02\x00"))
		return err
	}())
}

// Message 3 with bytes behind it, and of wrong sizes.
func TestMessage3Sizes(t *testing.T) {
	for name, tail := range map[string]func(msg3 []byte) []byte{
		"early data": func(m []byte) []byte { return append(m, 1) },
		"too short":  func(m []byte) []byte { return []byte{0, 63} },
		"too long":   func(m []byte) []byte { return []byte{0x10, 0x41} },
	} {
		a, b := pipePair(t)
		ci, cr := configs(t)
		y := acceptAsync(t.Context(), b, cr)
		preamble := local.preamble()
		hs, err := ci.noise(true, preamble)
		require.NoError(t, err)
		out, err := frame(preamble[:], func(b []byte) ([]byte, error) { return hs.WriteMessage(b, nil) })
		require.NoError(t, err)
		_, err = a.Write(out)
		require.NoError(t, err)
		msg, err := readMessage2(a)
		require.NoError(t, err)
		_, err = hs.ReadMessage(nil, msg)
		require.NoError(t, err)
		out, err = frame(nil, func(b []byte) ([]byte, error) { return hs.WriteMessage(b, nil) })
		require.NoError(t, err)
		_, err = a.Write(tail(out))
		require.NoError(t, err)
		require.ErrorIs(t, (<-y).err, ErrProtocol, name)
	}
}
