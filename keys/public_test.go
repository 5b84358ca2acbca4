package keys

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

func TestPublicKey(t *testing.T) {
	k := fixed(t, 1).Public()
	assert.Equal(t, alicePublic, k.String())
	assert.Equal(t, alicePublic, fmt.Sprint(k))
	assert.False(t, k.IsZero())
	assert.Equal(t, k, public(t, alicePublic))
	assert.True(t, map[PublicKey]bool{k: true}[public(t, alicePublic)])
	assert.Equal(t, k.Bytes(), k.ECDH().Bytes())
	assert.Equal(t, append([]byte("x"), k.Bytes()...), k.AppendTo([]byte("x")))

	b := k.Bytes()
	b[0]++
	assert.NotEqual(t, b, k.Bytes(), "Bytes is a copy")
	same, err := NewPublicKey(k.Bytes())
	require.NoError(t, err)
	assert.Equal(t, k, same)
}

func TestPublicKeyMarshals(t *testing.T) {
	type doc struct {
		Key PublicKey `yaml:"key"`
	}
	k := fixed(t, 1).Public()
	j, err := json.Marshal(doc{k})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Key":"`+alicePublic+`"}`, string(j))
	var back doc
	require.NoError(t, json.Unmarshal(j, &back))
	assert.Equal(t, k, back.Key)
	y, err := yaml.Marshal(doc{k})
	require.NoError(t, err)
	back = doc{}
	require.NoError(t, yaml.Unmarshal(y, &back))
	assert.Equal(t, k, back.Key)

	_, err = json.Marshal(doc{})
	require.ErrorIs(t, err, ErrInvalidKey)
	assert.ErrorIs(t, back.Key.UnmarshalText([]byte("pysock1")), ErrInvalidKey)
	assert.Equal(t, k, back.Key, "a failed UnmarshalText changes nothing")
}

func TestZeroPublicKey(t *testing.T) {
	var k PublicKey
	assert.True(t, k.IsZero())
	assert.Equal(t, "(no key)", k.String())
	assert.Equal(t, "(no key)", k.Fingerprint())
	_, err := fixed(t, 1).ECDH().ECDH(k.ECDH())
	assert.Error(t, err)
}

// TestLowOrderPoints asks crypto/ecdh which of the points that could be of low order
// are, in every encoding, and whether we refuse the same.
func TestLowOrderPoints(t *testing.T) {
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, low := range lowOrder {
		for _, top := range []byte{0, 0x80} {
			b := low.Bytes()
			b[31] |= top
			point, err := ecdh.X25519().NewPublicKey(b)
			require.NoError(t, err)
			_, err = secret.ECDH(point)
			require.Error(t, err, "%x is not of low order", b)
			_, err = NewPublicKey(b)
			assert.ErrorIs(t, err, ErrInvalidKey, "%x", b)
		}
	}
	// The numbers from p to 2²⁵⁵−1 are second encodings of 0 to 18.
	b := lowOrder[4].Bytes()
	for b[0] = 0xed; b[0] != 0; b[0]++ {
		_, err := NewPublicKey(b)
		require.ErrorIs(t, err, ErrInvalidKey, "%x", b)
	}
	b[0] = 0xeb // p−2, an ordinary point
	_, err = NewPublicKey(b)
	assert.NoError(t, err)
	b[15] = 0
	_, err = NewPublicKey(b)
	assert.NoError(t, err)
	for _, n := range []int{0, 31, 33} {
		_, err = NewPublicKey(make([]byte, n))
		assert.ErrorIs(t, err, ErrInvalidKey)
	}
}

// The expected values were computed by another program.
func TestFingerprintAndSafetyNumber(t *testing.T) {
	alice, bob := public(t, alicePublic), public(t, bobPublic)
	assert.Equal(t, "LKT3-W3JP-982W-WA44-JGLM", alice.Fingerprint())
	assert.Equal(t, "6E6Q-R52U-R5VS-65FR-E9DA", bob.Fingerprint())
	assert.Equal(t, "KQAF-YR9E-0GQY-HR83-W9DC", public(t, hubPublic).Fingerprint())
	const number = "97563 09555 00263 29782 65029 88610 77305 40517 61350 46249 44923 12357"
	assert.Equal(t, number, SafetyNumber(alice, bob))
	assert.Equal(t, number, SafetyNumber(bob, alice))
	assert.NotEqual(t, number, SafetyNumber(alice, alice))
}
