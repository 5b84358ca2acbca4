package secure

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/pysock/pysock/keys"
	"github.com/pysock/pysock/secure/internal/noise"
	"github.com/stretchr/testify/require"
)

// go test ./secure -run TestGolden -update
var update = flag.Bool("update", false, "write testdata/vectors/session.json anew")

var goldenPath = filepath.Join("..", "testdata", "vectors", "session.json")

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// golden is one session; testdata/vectors/README.md describes the fields.
type golden struct {
	Name             string        `json:"name"`
	Suite            string        `json:"suite"`
	InitStatic       hexBytes      `json:"init_static"`
	InitEphemeral    hexBytes      `json:"init_ephemeral"`
	InitKEMSeed      hexBytes      `json:"init_kem_seed"`
	RespStatic       hexBytes      `json:"resp_static"`
	RespEphemeral    hexBytes      `json:"resp_ephemeral"`
	RespEncapsRandom hexBytes      `json:"resp_encaps_random"`
	Pipe             *goldenPipe   `json:"pipe,omitempty"`
	Prologue         hexBytes      `json:"prologue"`
	HandshakeHash    hexBytes      `json:"handshake_hash"`
	ExportLabel      string        `json:"export_label"`
	Exported         hexBytes      `json:"exported"`
	Wire             []*goldenStep `json:"wire"`
}

type goldenPipe struct {
	ID     hexBytes `json:"id"`
	Opener string   `json:"opener"`
	Target string   `json:"target"`
}

type goldenStep struct {
	From    string   `json:"from"`
	What    string   `json:"what"`
	Content hexBytes `json:"content,omitempty"`
	Count   int      `json:"count,omitempty"`
	Bytes   hexBytes `json:"bytes,omitempty"`
	SHA256  hexBytes `json:"sha256,omitempty"`
}

const (
	fromInitiator = "initiator"
	fromResponder = "responder"
)

func (g *golden) binding() *Binding {
	if g.Pipe == nil {
		return nil
	}
	return &Binding{ID: [16]byte(g.Pipe.ID), Opener: g.Pipe.Opener, Target: g.Pipe.Target}
}

func (g *golden) content(what, from string) (b []byte) {
	for _, s := range g.Wire {
		if s.What == what && s.From == from {
			b = append(b, bytes.Repeat(s.Content, max(1, s.Count))...)
		}
	}
	return b
}

func (g *golden) configs(t *testing.T) (initiator, responder *Config) {
	curve := ecdh.X25519()
	ki, err := keys.NewPrivateKey(g.InitStatic)
	require.NoError(t, err)
	kr, err := keys.NewPrivateKey(g.RespStatic)
	require.NoError(t, err)
	ei, err := curve.NewPrivateKey(g.InitEphemeral)
	require.NoError(t, err)
	er, err := curve.NewPrivateKey(g.RespEphemeral)
	require.NoError(t, err)
	dk, err := mlkem.NewDecapsulationKey768(g.InitKEMSeed)
	require.NoError(t, err)
	return &Config{
			Key: ki, VerifyPeer: anyKey, Hello: g.content("message 3", fromInitiator), Pipe: g.binding(),
			fixed: &noise.Fixed{Ephemeral: ei, KEM: dk},
		}, &Config{Key: kr, Pipe: g.binding(), fixed: &noise.Fixed{
			Ephemeral: er,
			Encapsulate: func(ek *mlkem.EncapsulationKey768) (shared, ciphertext []byte) {
				shared, ciphertext, err := mlkemtest.Encapsulate768(ek, g.RespEncapsRandom)
				require.NoError(t, err)
				return shared, ciphertext
			},
		}}
}

// act does what one side does after the verdict, and reads to the end.
func (g *golden) act(t *testing.T, c *Conn, from, peer string) {
	for _, s := range g.Wire {
		switch {
		case s.From != from:
		case s.What == "data":
			for range max(1, s.Count) {
				_, err := c.Write(s.Content)
				require.NoError(t, err)
			}
		case s.What == "end":
			require.NoError(t, c.CloseWrite())
		}
	}
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.True(t, bytes.Equal(g.content("data", peer), got))
	require.Equal(t, []byte(g.HandshakeHash), c.HandshakeHash())
	exported, err := c.Export(g.ExportLabel, len(g.Exported))
	require.NoError(t, err)
	require.Equal(t, []byte(g.Exported), exported)
}

// chunks is a conn that gives one chunk per Read, and keeps what is written.
type chunks struct {
	script
	in [][]byte
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.in[0])
	if c.in[0] = c.in[0][n:]; len(c.in[0]) == 0 {
		c.in = c.in[1:]
	}
	return n, nil
}

// bytesOf is what one side sends, a piece per step.
func (g *golden) bytesOf(from string) (pieces [][]byte) {
	for _, s := range g.Wire {
		if s.From == from {
			pieces = append(pieces, bytes.Clone(s.Bytes))
		}
	}
	return pieces
}

// checkWritten compares with the steps what one side wrote, and returns it in
// pieces.
func (g *golden) checkWritten(t *testing.T, from string, wrote []byte) (pieces [][]byte) {
	for _, s := range g.Wire {
		if s.From != from {
			continue
		}
		n := len(s.Bytes)
		if s.Count > 0 {
			n = s.Count * (rekeyRecord + len(s.Content))
		}
		require.GreaterOrEqual(t, len(wrote), n)
		piece := wrote[:n]
		wrote = wrote[n:]
		if s.Count > 0 {
			sum := sha256.Sum256(piece)
			require.Equal(t, []byte(s.SHA256), sum[:])
		} else {
			require.Equal(t, hex.EncodeToString(s.Bytes), hex.EncodeToString(piece), s.What)
		}
		pieces = append(pieces, bytes.Clone(piece))
	}
	require.Empty(t, wrote)
	return pieces
}

// Each side alone, against the recorded bytes of the other, writes exactly the
// recorded bytes of its own.
func TestGoldenSessions(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	b, err := os.ReadFile(goldenPath)
	require.NoError(t, err)
	var file struct {
		Source   string    `json:"source"`
		Sessions []*golden `json:"sessions"`
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&file))
	require.Len(t, file.Sessions, 3)
	for _, g := range file.Sessions {
		t.Run(g.Name, func(t *testing.T) {
			ci, cr := g.configs(t)
			require.Equal(t, noise.XXhfs.Name(), g.Suite)
			require.Equal(t, []byte(g.Prologue), prologue(local.preamble(), ci.Pipe))
			verdict := g.content("verdict", fromResponder)

			conn := &chunks{in: g.bytesOf(fromResponder)}
			c, err := Initiate(t.Context(), conn, ci)
			if verdict[0] == verdictRefused {
				var refused *RefusedError
				require.ErrorAs(t, err, &refused)
				require.Equal(t, binary.BigEndian.Uint16(verdict[1:]), refused.Code)
				require.Equal(t, string(verdict[3:]), refused.Text)
			} else {
				require.NoError(t, err)
				require.Equal(t, verdict[1:], c.Welcome())
				g.act(t, c, fromInitiator, fromResponder)
			}
			pieces := g.checkWritten(t, fromInitiator, conn.wrote)

			conn = &chunks{in: pieces}
			p, err := Accept(t.Context(), conn, cr)
			require.NoError(t, err)
			require.Equal(t, ci.Hello, p.Hello())
			require.Equal(t, ci.Key.Public(), p.PeerKey())
			if verdict[0] == verdictRefused {
				require.NoError(t, p.Refuse(t.Context(), binary.BigEndian.Uint16(verdict[1:]), string(verdict[3:])))
				require.True(t, conn.closed)
			} else {
				c, err = p.Welcome(t.Context(), verdict[1:])
				require.NoError(t, err)
				g.act(t, c, fromResponder, fromInitiator)
			}
			g.checkWritten(t, fromResponder, conn.wrote)
		})
	}
}

// writeGolden runs the sessions over a pipe and writes down what crosses it.
func writeGolden(t *testing.T) {
	refusal, err := encodeRefusal(403, "not on the list")
	require.NoError(t, err)
	i, r := fromInitiator, fromResponder
	opening := func(hello string, verdict []byte) []*goldenStep {
		return []*goldenStep{
			{From: i, What: "preamble"}, {From: i, What: "message 1"}, {From: r, What: "message 2"},
			{From: i, What: "message 3", Content: hexBytes(hello)}, {From: r, What: "verdict", Content: verdict},
		}
	}
	sessions := []*golden{
		{Name: "hop", Wire: append(opening("a hello", []byte("\x00a welcome")),
			&goldenStep{From: r, What: "data", Content: hexBytes("hello, initiator")},
			&goldenStep{From: i, What: "data", Content: hexBytes("hello, responder")},
			&goldenStep{From: i, What: "data", Content: hexBytes{0x55}, Count: rekeyInterval - 2},
			&goldenStep{From: i, What: "rekey"},
			&goldenStep{From: i, What: "data", Content: hexBytes("under the next key")},
			&goldenStep{From: i, What: "end"}, &goldenStep{From: r, What: "end"})},
		{Name: "pipe", Pipe: &goldenPipe{ID: bytes.Repeat([]byte{0xab}, 16), Opener: "alice", Target: "bob"},
			Wire: append(opening("", []byte{0}),
				&goldenStep{From: i, What: "data", Content: hexBytes("end to end")},
				&goldenStep{From: i, What: "end"}, &goldenStep{From: r, What: "end"})},
		{Name: "refused", Wire: append(opening("let me in", refusal), &goldenStep{From: r, What: "end"})},
	}
	for n, g := range sessions {
		g.record(t, byte(n+1)<<4)
	}
	b, err := json.MarshalIndent(map[string]any{
		"source":   "go test ./secure -run TestGolden -update",
		"sessions": sessions,
	}, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(goldenPath, append(b, '\n'), 0o644))
}

// recorder keeps what is written to a pipe.
type recorder struct {
	net.Conn
	wrote []byte
}

func (r *recorder) Write(p []byte) (int, error) {
	r.wrote = append(r.wrote, p...)
	return r.Conn.Write(p)
}

func (g *golden) record(t *testing.T, seed byte) {
	fill := func(n byte, size int) []byte { return bytes.Repeat([]byte{seed + n}, size) }
	g.Suite = noise.XXhfs.Name()
	g.InitStatic, g.InitEphemeral, g.InitKEMSeed = fill(1, 32), fill(3, 32), fill(5, 64)
	g.RespStatic, g.RespEphemeral, g.RespEncapsRandom = fill(2, 32), fill(4, 32), fill(6, 32)
	g.ExportLabel = "a label"
	g.Exported = make([]byte, 32) // of this length
	g.Prologue = prologue(local.preamble(), g.binding())
	ci, cr := g.configs(t)

	a, b := pipePair(t)
	ra, rb := &recorder{Conn: a}, &recorder{Conn: b}
	ch := initiateAsync(t.Context(), ra, ci)
	p, err := Accept(t.Context(), rb, cr)
	require.NoError(t, err)
	g.HandshakeHash = p.c.HandshakeHash()
	g.Exported, err = p.c.Export(g.ExportLabel, len(g.Exported))
	require.NoError(t, err)
	verdict := g.content("verdict", fromResponder)
	if verdict[0] == verdictRefused {
		go io.Copy(io.Discard, a) // the end, too
		require.NoError(t, p.Refuse(t.Context(), binary.BigEndian.Uint16(verdict[1:]), string(verdict[3:])))
		<-ch
	} else {
		c, err := p.Welcome(t.Context(), verdict[1:])
		require.NoError(t, err)
		res := <-ch
		require.NoError(t, res.err)
		done := make(chan struct{})
		go func() { defer close(done); g.play(res.c, c, fromInitiator) }()
		g.play(c, res.c, fromResponder)
		<-done
	}
	g.split(t, fromInitiator, ra.wrote)
	g.split(t, fromResponder, rb.wrote)
}

// play writes from's part while the other side reads it.
func (g *golden) play(from, to *Conn, who string) {
	go io.Copy(io.Discard, to)
	for _, s := range g.Wire {
		switch {
		case s.From == who && s.What == "data":
			for range max(1, s.Count) {
				from.Write(s.Content)
			}
		case s.From == who && s.What == "end":
			from.CloseWrite()
		}
	}
}

// split gives each step of one side its bytes.
func (g *golden) split(t *testing.T, from string, wire []byte) {
	for _, s := range g.Wire {
		if s.From != from {
			continue
		}
		n := preambleSize
		if s.What != "preamble" {
			n = 0
			for range max(1, s.Count) {
				n += headerSize + int(binary.BigEndian.Uint16(wire[n:]))
			}
		}
		if s.Count > 0 {
			sum := sha256.Sum256(wire[:n])
			s.SHA256 = sum[:]
		} else {
			s.Bytes = wire[:n]
		}
		wire = wire[n:]
	}
	require.Empty(t, wire)
}
