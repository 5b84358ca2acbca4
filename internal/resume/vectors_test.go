package resume

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/pysock/pysock/internal/wire"
	"github.com/stretchr/testify/require"
)

// vectors is testdata/vectors/resume.json; the README beside it says what the fields are.
type vectors struct {
	Proofs []struct {
		Name           string    `json:"name"`
		ChainingKey    vectorHex `json:"chaining_key"`
		HandshakeHash  vectorHex `json:"handshake_hash"`
		Secret         vectorHex `json:"secret"`
		Before         vectorHex `json:"h2"`
		Hash           vectorHex `json:"h"`
		Session        vectorHex `json:"session"`
		Attempt        uint64    `json:"attempt,string"`
		ClientPosition uint64    `json:"client_position,string"`
		ServerPosition uint64    `json:"server_position,string"`
		ClientProof    vectorHex `json:"client_proof"`
		ServerProof    vectorHex `json:"server_proof"`
	} `json:"proofs"`
	Records    []recordVector `json:"records"`
	BadRecords []recordVector `json:"bad_records"`
}

type recordVector struct {
	Name  string    `json:"name"`
	Why   string    `json:"why"`
	From  string    `json:"from"`
	ACK   *uint64   `json:"ack,string"`
	Ping  *uint32   `json:"ping"`
	Pong  *uint32   `json:"pong"`
	Retry *uint32   `json:"retry"`
	Rest  vectorHex `json:"rest"`
	Fill  int       `json:"fill"`
	Bytes vectorHex `json:"bytes"`
}

type vectorHex []byte

func (h *vectorHex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// readVectors refuses unknown fields and an empty list, which would check nothing.
func readVectors(tb testing.TB) vectors {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "vectors", "resume.json"))
	require.NoError(tb, err)
	var v vectors
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	require.NoError(tb, d.Decode(&v))
	require.NotEmpty(tb, v.Proofs)
	require.NotEmpty(tb, v.Records)
	require.NotEmpty(tb, v.BadRecords)
	return v
}

// handshake exports as section 4.4 of docs/protocol.md says.
type handshake struct{ chainingKey, hash []byte }

func (h handshake) Export(label string, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, h.chainingKey, nil, label+string(h.hash), n)
}

func TestProofVectors(t *testing.T) {
	for _, v := range readVectors(t).Proofs {
		secret, err := NewSecret(handshake{v.ChainingKey, v.HandshakeHash})
		require.NoError(t, err, v.Name)
		require.Equal(t, []byte(v.Secret), secret[:], v.Name)

		session := [wire.IDSize]byte(v.Session)
		client := secret.ClientProof([HashSize]byte(v.Before), session, v.Attempt, v.ClientPosition)
		server := secret.ServerProof([HashSize]byte(v.Hash), session, v.Attempt, v.ServerPosition)
		require.Equal(t, []byte(v.ClientProof), client[:], v.Name)
		require.Equal(t, []byte(v.ServerProof), server[:], v.Name)
		require.True(t, Equal(client, [wire.ProofSize]byte(v.ClientProof)), v.Name)
		require.False(t, Equal(client, server), v.Name)
	}
}

// header has the flags whose fields are there.
func (v *recordVector) header() header {
	var h header
	if v.ACK != nil {
		h.flags, h.ack = h.flags|flagAck, *v.ACK
	}
	for _, f := range []struct {
		flag  byte
		value *uint32
		field *uint32
	}{{flagPing, v.Ping, &h.ping}, {flagPong, v.Pong, &h.pong}, {flagRetry, v.Retry, &h.retry}} {
		if f.value != nil {
			h.flags, *f.field = h.flags|f.flag, *f.value
		}
	}
	return h
}

func TestRecordVectors(t *testing.T) {
	v := readVectors(t)
	for _, v := range v.Records {
		fill := bytes.Repeat([]byte{0x61}, v.Fill)
		record := append(bytes.Clone(v.Bytes), fill...)
		rest := append(bytes.Clone(v.Rest), fill...)

		h, stream, err := parse(record)
		require.NoError(t, err, v.Name)
		require.Equal(t, v.header(), h, v.Name)
		require.True(t, bytes.Equal(rest, stream), v.Name)
		require.Equal(t, len(record)-len(rest), h.size(), v.Name)
		require.True(t, bytes.Equal(record, append(h.append(nil), stream...)), v.Name)
		require.LessOrEqual(t, len(record), MaxContent, v.Name)
	}
	for _, v := range v.BadRecords {
		h, _, err := parse(v.Bytes)
		if v.From == "client" {
			require.NoError(t, err, v.Name) // the Conn of a server refuses it
			require.True(t, h.has(flagRetry), v.Name)
			continue
		}
		var breach *wire.Error
		require.ErrorAs(t, err, &breach, "%s: %s", v.Name, v.Why)
		require.Equal(t, wire.CodeProtocol, breach.Code, v.Name)
	}
}
