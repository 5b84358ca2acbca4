package stranger

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func load(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "vectors", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into))
}

// vectorKeys are the fields of all files with keys, see the README there.
type vectorKeys struct {
	InitStatic    hexBytes `json:"init_static"`
	InitEphemeral hexBytes `json:"init_ephemeral"`
	InitKEMSeed   hexBytes `json:"init_kem_seed"`
	RespStatic    hexBytes `json:"resp_static"`
	RespEphemeral hexBytes `json:"resp_ephemeral"`
	RespEncaps    hexBytes `json:"resp_encaps_random"`
	Prologue      hexBytes
	Hash          hexBytes `json:"handshake_hash"`
	Label         string   `json:"export_label"`
	Exported      hexBytes
}

func x25519(t *testing.T, b []byte) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().NewPrivateKey(b)
	require.NoError(t, err)
	return k
}

func (v *vectorKeys) keys(t *testing.T) (init, resp handshakeKeys) {
	init = handshakeKeys{static: x25519(t, v.InitStatic), ephemeral: x25519(t, v.InitEphemeral)}
	resp = handshakeKeys{static: x25519(t, v.RespStatic), ephemeral: x25519(t, v.RespEphemeral)}
	if v.InitKEMSeed != nil {
		var err error
		init.kem, err = mlkem.NewDecapsulationKey768(v.InitKEMSeed)
		require.NoError(t, err)
		resp.encapsulate = func(k *mlkem.EncapsulationKey768) (secret, sealed []byte) {
			secret, sealed, err := mlkemtest.Encapsulate768(k, v.RespEncaps)
			require.NoError(t, err)
			return secret, sealed
		}
	}
	return init, resp
}

func TestNoiseVectors(t *testing.T) {
	seen := 0
	for _, name := range []string{"noise-xx.json", "noise-xxhfs-published.json", "noise-xxhfs.json"} {
		var file struct {
			Vectors []struct {
				vectorKeys
				Protocol string
				Messages []struct{ Payload, Ciphertext hexBytes }
				InitKey  hexBytes `json:"init_send_key"`
				RespKey  hexBytes `json:"resp_send_key"`
			}
		}
		load(t, name, &file)
		for _, v := range file.Vectors {
			seen++
			initKeys, respKeys := v.keys(t)
			a := newHandshake(v.Protocol, true, initKeys, v.Prologue)
			b := newHandshake(v.Protocol, false, respKeys, v.Prologue)
			var toResp, toInit *cipherState
			for i, m := range v.Messages {
				var out, got []byte
				var err error
				from, to := a, b
				if i%2 == 1 {
					from, to = b, a
				}
				if i < 3 {
					out, err = from.write(m.Payload)
					require.NoError(t, err)
					got, err = to.read(out)
				} else {
					c := map[bool]*cipherState{true: toResp, false: toInit}[from == a]
					out = c.encrypt(nil, m.Payload)
					c.n--
					got, err = c.decrypt(nil, out)
				}
				require.NoError(t, err)
				require.Equal(t, string(m.Payload), string(got))
				if len(m.Ciphertext) > 0 {
					require.Equal(t, m.Ciphertext, hexBytes(out), "%s message %d", name, i)
				}
				if i == 2 {
					toResp, toInit = a.split()
				}
			}
			require.Equal(t, a.h, b.h)
			if v.Hash != nil {
				require.Equal(t, v.Hash, hexBytes(a.h[:]))
			}
			if v.InitKey != nil {
				require.Equal(t, v.InitKey, hexBytes(toResp.key[:]))
				require.Equal(t, v.RespKey, hexBytes(toInit.key[:]))
			}
			if v.Exported != nil {
				require.Equal(t, v.Exported, hexBytes(a.symmetricState.export(v.Label, len(v.Exported))))
			}
		}
	}
	require.Equal(t, 6, seen)
}

// A tape plays one side of a session and records what the other writes.
type tape struct {
	in  *bytes.Buffer
	out bytes.Buffer
}

func (p *tape) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *tape) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p *tape) Close() error                { return nil }

type sessionVector struct {
	vectorKeys
	Name string
	Pipe *struct {
		ID             hexBytes
		Opener, Target string
	}
	Wire []struct {
		From, What     string
		Content, Bytes hexBytes
		Count          int
		SHA256         hexBytes `json:"sha256"`
	}
}

func TestSessionVectors(t *testing.T) {
	var file struct{ Sessions []sessionVector }
	load(t, "session.json", &file)
	require.Len(t, file.Sessions, 3)
	for _, v := range file.Sessions {
		t.Run(v.Name, func(t *testing.T) { checkSession(t, &v) })
	}
}

// wire makes all bytes of one side. Those that are given as a sum come from
// keys of this package's own making, which a first pass has found.
func (v *sessionVector) wire(from string, left func(i int) []byte) []byte {
	var all []byte
	for i, w := range v.Wire {
		if w.From == from {
			all = append(all, w.Bytes...)
			if w.Count > 0 {
				all = append(all, left(i)...)
			}
		}
	}
	return all
}

func checkSession(t *testing.T, v *sessionVector) {
	var pipe *PipeContext
	if v.Pipe != nil {
		pipe = &PipeContext{ID: [16]byte(v.Pipe.ID), Opener: v.Pipe.Opener, Target: v.Pipe.Target}
	}
	require.Equal(t, v.Prologue, hexBytes(prologue(preamble, pipe)))
	initKeys, respKeys := v.keys(t)
	var hello, verdict []byte
	for _, w := range v.Wire {
		switch w.What {
		case "message 3":
			hello = w.Content
		case "verdict":
			verdict = w.Content
		}
	}
	// The initiator, fed with the responder's bytes, must write the initiator's.
	fromResp := &tape{in: bytes.NewBuffer(v.wire("responder", nil))}
	sec, welcome, err := initiate(fromResp, initKeys, pipe, respKeys.static.PublicKey().Bytes(), func([32]byte) []byte { return hello })
	var long []byte
	if verdict[0] == 0 {
		require.NoError(t, err)
		require.Equal(t, string(verdict[1:]), string(welcome))
		require.Equal(t, v.Hash, hexBytes(sec.hash))
		require.Equal(t, v.Exported, hexBytes(sec.export(v.Label, len(v.Exported))))
		long = playRecords(t, v, "initiator", sec, fromResp)
		readRecords(t, v, "responder", sec)
	} else {
		var refused *Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, verdict[1:], refusal(refused)[1:])
	}
	all := v.wire("initiator", func(int) []byte { return long })
	require.True(t, bytes.Equal(all, fromResp.out.Bytes()))

	// And the other way round.
	fromInit := &tape{in: bytes.NewBuffer(all)}
	sec, err = respond(fromInit, respKeys, pipe, func(peer, got []byte, _ hashes) []byte {
		require.Equal(t, initKeys.static.PublicKey().Bytes(), peer)
		require.Equal(t, string(hello), string(got))
		return verdict
	})
	if verdict[0] == 0 {
		require.NoError(t, err)
		playRecords(t, v, "responder", sec, fromInit)
		readRecords(t, v, "initiator", sec)
	}
	require.True(t, bytes.Equal(v.wire("responder", nil), fromInit.out.Bytes()))
}

// playRecords writes the records of one side and returns those given as a sum.
func playRecords(t *testing.T, v *sessionVector, from string, sec *secureConn, p *tape) (long []byte) {
	for _, w := range v.Wire {
		if w.From != from {
			continue
		}
		start := p.out.Len()
		switch w.What {
		case "data":
			for range max(w.Count, 1) {
				_, err := sec.Write(w.Content)
				require.NoError(t, err)
			}
		case "end":
			require.NoError(t, sec.End())
		}
		if w.Count > 0 {
			long = bytes.Clone(p.out.Bytes()[start:])
			require.Equal(t, w.SHA256, hexBytes(sum(long)))
		}
	}
	return long
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

func readRecords(t *testing.T, v *sessionVector, from string, sec *secureConn) {
	for _, w := range v.Wire {
		if w.From != from || w.What != "data" && w.What != "end" {
			continue
		}
		for range max(w.Count, 1) {
			kind, content, err := sec.readRecord()
			require.NoError(t, err)
			require.Equal(t, string(w.Content), string(content))
			require.Equal(t, w.What == "end", kind == recordEnd)
		}
	}
}
