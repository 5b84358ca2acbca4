package stranger

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/keys"
)

// The keys are those of testdata/keys/README.md.
func TestText(t *testing.T) {
	alice, bob := identity(1), identity(2)
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "keys", "good", "encrypted-passphrase.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(text), EncodePublic(alice.public()))
	require.Contains(t, string(text), Fingerprint(alice.public()))
	text, err = os.ReadFile(filepath.Join("..", "..", "testdata", "keys", "good", "minimal.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(text), EncodePrivate(alice.key.Bytes()))

	require.Equal(t, bob.file.Public.String(), EncodePublic(bob.public()))
	require.Equal(t, bob.file.Private.Secret(), EncodePrivate(bob.key.Bytes()))
	require.Equal(t, bob.file.Public.Fingerprint(), Fingerprint(bob.public()))
	number := SafetyNumber(alice.public(), bob.public())
	require.Equal(t, keys.SafetyNumber(alice.file.Public, bob.file.Public), number)
	require.Equal(t, number, SafetyNumber(bob.public(), alice.public()))

	got, err := DecodePublic(bob.file.Public.String())
	require.NoError(t, err)
	require.Equal(t, bob.public(), got)
	got, err = DecodePrivate(bob.file.Private.Secret())
	require.NoError(t, err)
	require.Equal(t, bob.key.Bytes(), got)
	good := []byte(bob.file.Public.String())
	for i := range good {
		for _, b := range []byte("qpQ1") {
			if bad := bytes.Clone(good); bad[i] != b {
				bad[i] = b
				_, err := DecodePublic(string(bad))
				require.Error(t, err)
			}
		}
	}
}

func TestTextVectors(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "vectors", "text.json"))
	require.NoError(t, err)
	var v struct {
		Keys []struct {
			Private, Public, Fingerprint string
			SecretText                   string `json:"secret_text"`
			PublicText                   string `json:"public_text"`
		}
		Safety    []struct{ A, B, Number string }
		BadPublic []string `json:"bad_public"`
	}
	require.NoError(t, json.Unmarshal(data, &v))
	require.NotEmpty(t, v.Keys)
	for _, k := range v.Keys {
		private, err := hex.DecodeString(k.Private)
		require.NoError(t, err)
		public, err := hex.DecodeString(k.Public)
		require.NoError(t, err)
		require.Equal(t, k.SecretText, EncodePrivate(private))
		require.Equal(t, k.PublicText, EncodePublic(public))
		require.Equal(t, k.Fingerprint, Fingerprint(public))
	}
	require.NotEmpty(t, v.Safety)
	for _, s := range v.Safety {
		a, err := DecodePublic(s.A)
		require.NoError(t, err)
		b, err := DecodePublic(s.B)
		require.NoError(t, err)
		require.Equal(t, s.Number, SafetyNumber(a, b))
	}
	for _, text := range v.BadPublic {
		_, err := DecodePublic(text)
		require.Error(t, err, text)
	}
}
