package keys

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const textVectorFile = "../testdata/vectors/text.json"

// textVectors is testdata/vectors/text.json; its README explains the fields.
type textVectors struct {
	Keys      []keyVector    `json:"keys"`
	Safety    []safetyVector `json:"safety"`
	BadPublic []string       `json:"bad_public"`
}

type keyVector struct {
	Private     string `json:"private"`
	Public      string `json:"public"`
	SecretText  string `json:"secret_text"`
	PublicText  string `json:"public_text"`
	Fingerprint string `json:"fingerprint"`
}

type safetyVector struct {
	A      string `json:"a"`
	B      string `json:"b"`
	Number string `json:"number"`
}

// TestTextVectors reads what other implementations read. With -update it writes the file.
func TestTextVectors(t *testing.T) {
	if *updateErrors {
		writeTextVectors(t)
	}
	data, err := os.ReadFile(textVectorFile)
	require.NoError(t, err)
	var v textVectors
	require.NoError(t, json.Unmarshal(data, &v))
	require.Len(t, v.Keys, 3)
	for _, k := range v.Keys {
		raw, err := hex.DecodeString(k.Private)
		require.NoError(t, err)
		private, err := NewPrivateKey(raw)
		require.NoError(t, err)
		require.Equal(t, k, vectorOf(private))
		parsed, err := ParsePrivateKey(k.SecretText)
		require.NoError(t, err)
		require.Equal(t, private.Public(), parsed.Public())
		public, err := ParsePublicKey(k.PublicText)
		require.NoError(t, err)
		require.Equal(t, private.Public(), public)
	}
	require.Len(t, v.Safety, 3)
	for _, s := range v.Safety {
		a, err := ParsePublicKey(s.A)
		require.NoError(t, err)
		b, err := ParsePublicKey(s.B)
		require.NoError(t, err)
		require.Equal(t, s.Number, SafetyNumber(a, b))
		require.Equal(t, s.Number, SafetyNumber(b, a))
	}
	require.NotEmpty(t, v.BadPublic)
	for _, text := range v.BadPublic {
		_, err := ParsePublicKey(text)
		require.ErrorIs(t, err, ErrInvalidKey, text)
	}
}

func vectorOf(k *PrivateKey) keyVector {
	return keyVector{
		Private: hex.EncodeToString(k.ECDH().Bytes()), Public: hex.EncodeToString(k.Public().Bytes()),
		SecretText: k.Secret(), PublicText: k.Public().String(), Fingerprint: k.Public().Fingerprint(),
	}
}

func writeTextVectors(t *testing.T) {
	var v textVectors
	for b := byte(1); b <= 3; b++ {
		k, err := NewPrivateKey(bytes.Repeat([]byte{b}, PrivateKeySize))
		require.NoError(t, err)
		v.Keys = append(v.Keys, vectorOf(k))
	}
	for i, a := range v.Keys {
		b := v.Keys[(i+1)%len(v.Keys)]
		pa, err := ParsePublicKey(a.PublicText)
		require.NoError(t, err)
		pb, err := ParsePublicKey(b.PublicText)
		require.NoError(t, err)
		v.Safety = append(v.Safety, safetyVector{a.PublicText, b.PublicText, SafetyNumber(pa, pb)})
	}
	text := v.Keys[0].PublicText
	v.BadPublic = []string{
		"", "pysock1", strings.ToUpper(text), strings.ToUpper(text[:1]) + text[1:], text + "q", text[:len(text)-1],
		text[:20] + text[21:], text[:10] + string(text[11]) + string(text[10]) + text[12:], " " + text, v.Keys[0].SecretText,
	}
	data, err := json.MarshalIndent(v, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(textVectorFile, append(data, '\n'), 0o644))
}
