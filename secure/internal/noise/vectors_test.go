package noise

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// go test ./secure/internal/noise -run TestOwnVectors -update
var update = flag.Bool("update", false, "write testdata/vectors/noise-xxhfs.json anew")

// hexBytes is bytes that are hexadecimal in JSON.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type vectorFile struct {
	Source  string   `json:"source"`
	Vectors []vector `json:"vectors"`
}

// vector is described in testdata/vectors/README.md.
type vector struct {
	Protocol         string          `json:"protocol"`
	Prologue         hexBytes        `json:"prologue"`
	InitStatic       hexBytes        `json:"init_static"`
	InitEphemeral    hexBytes        `json:"init_ephemeral"`
	InitKEMSeed      hexBytes        `json:"init_kem_seed,omitempty"`
	RespStatic       hexBytes        `json:"resp_static"`
	RespEphemeral    hexBytes        `json:"resp_ephemeral"`
	RespEncapsRandom hexBytes        `json:"resp_encaps_random,omitempty"`
	Messages         []vectorMessage `json:"messages"`
	HandshakeHash    hexBytes        `json:"handshake_hash,omitempty"`
	InitSendKey      hexBytes        `json:"init_send_key,omitempty"`
	RespSendKey      hexBytes        `json:"resp_send_key,omitempty"`
	ExportLabel      string          `json:"export_label,omitempty"`
	Exported         hexBytes        `json:"exported,omitempty"`
}

type vectorMessage struct {
	Payload    hexBytes `json:"payload"`
	Ciphertext hexBytes `json:"ciphertext"`
}

func vectorPath(name string) string {
	return filepath.Join("..", "..", "..", "testdata", "vectors", name)
}

func loadVectors(t *testing.T, name string) []vector {
	t.Helper()
	b, err := os.ReadFile(vectorPath(name))
	require.NoError(t, err)
	var f vectorFile
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&f))
	require.NotEmpty(t, f.Vectors)
	return f.Vectors
}

func x25519Key(t testing.TB, b []byte) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().NewPrivateKey(b)
	require.NoError(t, err)
	return k
}

// states builds both sides of a vector.
func (v *vector) states(t *testing.T) (initiator, responder *HandshakeState) {
	t.Helper()
	suite := XX
	fi := &Fixed{Ephemeral: x25519Key(t, v.InitEphemeral)}
	fr := &Fixed{Ephemeral: x25519Key(t, v.RespEphemeral)}
	if v.Protocol == XXhfs.Name() {
		suite = XXhfs
		dk, err := mlkem.NewDecapsulationKey768(v.InitKEMSeed)
		require.NoError(t, err)
		fi.KEM = dk
		fr.Encapsulate = func(ek *mlkem.EncapsulationKey768) (shared, ciphertext []byte) {
			shared, ciphertext, err := mlkemtest.Encapsulate768(ek, v.RespEncapsRandom)
			require.NoError(t, err)
			return shared, ciphertext
		}
	}
	require.Equal(t, suite.Name(), v.Protocol)
	var err error
	initiator, err = New(Config{Suite: suite, Initiator: true, Prologue: v.Prologue, Static: x25519Key(t, v.InitStatic), Fixed: fi})
	require.NoError(t, err)
	responder, err = New(Config{Suite: suite, Prologue: v.Prologue, Static: x25519Key(t, v.RespStatic), Fixed: fr})
	require.NoError(t, err)
	return initiator, responder
}

// play runs the vector's handshake and returns what crossed the wire.
func (v *vector) play(t *testing.T) (wire [][]byte, ri, rr *Result) {
	t.Helper()
	from, to := v.states(t)
	i, r := from, to
	for n := range 3 {
		msg, err := from.WriteMessage(nil, v.Messages[n].Payload)
		require.NoError(t, err)
		payload, err := to.ReadMessage(nil, msg)
		require.NoError(t, err)
		require.True(t, bytes.Equal(v.Messages[n].Payload, payload))
		wire = append(wire, msg)
		from, to = to, from
	}
	require.Equal(t, r.s.PublicKey(), i.PeerStatic())
	require.Equal(t, i.s.PublicKey(), r.PeerStatic())
	ri, err := i.Split()
	require.NoError(t, err)
	rr, err = r.Split()
	require.NoError(t, err)
	require.Equal(t, ri.Hash, rr.Hash)
	return wire, ri, rr
}

func (v *vector) check(t *testing.T) {
	wire, ri, rr := v.play(t)
	for n, msg := range wire {
		if want := v.Messages[n].Ciphertext; len(want) > 0 {
			require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(msg), "message %d", n+1)
		}
	}
	for n, m := range v.Messages[len(wire):] {
		from, to := ri, rr
		if (len(wire)+n)%2 == 1 {
			from, to = rr, ri
		}
		sealed, err := from.Send.Seal(nil, nil, m.Payload)
		require.NoError(t, err)
		require.Equal(t, []byte(m.Ciphertext), sealed, "transport message %d", n+1)
		opened, err := to.Recv.Open(nil, nil, sealed)
		require.NoError(t, err)
		require.Equal(t, []byte(m.Payload), opened)
	}
	if v.HandshakeHash != nil {
		require.Equal(t, []byte(v.HandshakeHash), ri.Hash[:])
	}
	if v.InitSendKey != nil {
		require.Equal(t, NewCipherState([32]byte(v.InitSendKey)), ri.Send)
		require.Equal(t, NewCipherState([32]byte(v.RespSendKey)), rr.Send)
	}
	if v.ExportLabel != "" {
		for _, r := range []*Result{ri, rr} {
			got, err := r.Export(v.ExportLabel, len(v.Exported))
			require.NoError(t, err)
			require.Equal(t, []byte(v.Exported), got)
		}
	}
}

// Vectors that others published, for both suites.
func TestPublishedVectors(t *testing.T) {
	for _, file := range []string{"noise-xx.json", "noise-xxhfs-published.json"} {
		for _, v := range loadVectors(t, file) {
			v.check(t)
		}
	}
}

// Our own, with prologue, payloads, transport messages and an export.
func TestOwnVectors(t *testing.T) {
	const file = "noise-xxhfs.json"
	if *update {
		writeOwnVectors(t, vectorPath(file))
	}
	for _, v := range loadVectors(t, file) {
		v.check(t)
	}
}

// writeOwnVectors makes vectors from seeds that are visibly not secret.
func writeOwnVectors(t *testing.T, path string) {
	f := vectorFile{Source: "go test ./secure/internal/noise -run TestOwnVectors -update (crypto/mlkem/mlkemtest for the encapsulation)"}
	payloads := [][]string{
		{"", "", "", "first to the responder", "first to the initiator"},
		{"payload 1", "payload 2", "payload 3", "x", "y", "z"},
	}
	for i, texts := range payloads {
		fill := func(n, size int) []byte { return bytes.Repeat([]byte{byte(16*(i+10) + n)}, size) }
		v := vector{
			Protocol: XXhfs.Name(), Prologue: []byte("PySock vector"),
			InitStatic: fill(1, 32), InitEphemeral: fill(3, 32), InitKEMSeed: fill(5, 64),
			RespStatic: fill(2, 32), RespEphemeral: fill(4, 32), RespEncapsRandom: fill(6, 32),
			ExportLabel: "a label",
		}
		for _, text := range texts {
			v.Messages = append(v.Messages, vectorMessage{Payload: []byte(text)})
		}
		wire, ri, rr := v.play(t)
		for n := range v.Messages {
			m := &v.Messages[n]
			switch {
			case n < 3:
				m.Ciphertext = wire[n]
			case n%2 == 1:
				m.Ciphertext, _ = rr.Send.Seal(nil, nil, m.Payload)
			default:
				m.Ciphertext, _ = ri.Send.Seal(nil, nil, m.Payload)
			}
		}
		v.HandshakeHash = ri.Hash[:]
		v.Exported, _ = ri.Export(v.ExportLabel, 48)
		f.Vectors = append(f.Vectors, v)
	}
	b, err := json.MarshalIndent(f, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(b, '\n'), 0o644))
}
