package stranger

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResumeVectors(t *testing.T) {
	var file struct {
		Proofs []struct {
			Name           string
			ChainingKey    hexBytes `json:"chaining_key"`
			Hash           hexBytes `json:"handshake_hash"`
			Secret         hexBytes
			H2, H          hexBytes
			Session        hexBytes
			Attempt        uint64   `json:",string"`
			ClientPosition uint64   `json:"client_position,string"`
			ServerPosition uint64   `json:"server_position,string"`
			ClientProof    hexBytes `json:"client_proof"`
			ServerProof    hexBytes `json:"server_proof"`
		}
		Records []struct {
			Name              string
			Ack               *uint64 `json:",string"`
			Ping, Pong, Retry *uint32
			Rest, Bytes       hexBytes
			Fill              int
		}
		BadRecords []struct {
			Name, Why, From string
			Bytes           hexBytes
		} `json:"bad_records"`
	}
	load(t, "resume.json", &file)
	require.NotEmpty(t, file.Proofs)
	for _, v := range file.Proofs {
		s := &symmetricState{ck: [32]byte(v.ChainingKey), h: [32]byte(v.Hash)}
		require.Equal(t, v.Secret, hexBytes(s.export(resumeLabel, 32)), v.Name)
		c := proof(v.Secret, "client", [32]byte(v.H2), [16]byte(v.Session), v.Attempt, v.ClientPosition)
		require.Equal(t, v.ClientProof, hexBytes(c[:]), v.Name)
		c = proof(v.Secret, "server", [32]byte(v.H), [16]byte(v.Session), v.Attempt, v.ServerPosition)
		require.Equal(t, v.ServerProof, hexBytes(c[:]), v.Name)
	}
	require.NotEmpty(t, file.Records)
	for _, v := range file.Records {
		fill := bytes.Repeat([]byte{0x61}, v.Fill)
		all := append(bytes.Clone(v.Bytes), fill...)
		p, err := decodeParcel(all, false)
		require.NoError(t, err, v.Name)
		require.Equal(t, &parcel{ack: v.Ack, ping: v.Ping, pong: v.Pong, retry: v.Retry, rest: append(bytes.Clone(v.Rest), fill...)}, p,
			v.Name)
		require.Equal(t, all, p.encode(), v.Name)
	}
	require.NotEmpty(t, file.BadRecords)
	for _, v := range file.BadRecords {
		_, err := decodeParcel(v.Bytes, v.From == "client")
		require.Error(t, err, "%s: %s", v.Name, v.Why)
	}
}
