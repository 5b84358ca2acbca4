package keys

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The valid strings of BIP-350 whose data is whole bytes or none, and some of its
// invalid ones.
func TestBech32BIP350(t *testing.T) {
	for _, v := range []struct{ hrp, s string }{
		{"A", "A1LQFN3A"},
		{"a", "a1lqfn3a"},
		{"an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber1",
			"an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6"},
		{"?", "?1v759aa"},
	} {
		data, err := bech32Decode(v.hrp, v.s)
		require.NoError(t, err, v.s)
		assert.Empty(t, data)
		assert.Equal(t, v.s, bech32Encode(v.hrp, data))
	}
	for _, v := range []struct{ hrp, s, why string }{
		{"a", "A1LQFN3A", "upper case"},
		{"A", "a1lqfn3a", "lower case"},
		{"a", "a1lqfN3a", "mixed case"},
		{"a", "b1lqfn3a", "other prefix"},
		{"a", "a1lqfn3", "short checksum"},
		{"A", "A1LQFN3\u212a", "a letter whose lower case is k"},
		{"y", "y1b0jsk6g", "invalid character"},
		{"a", "a1lqfn3\x80", "not ASCII"},
		{"M", "M1VUXWEZ", "checksum over upper-case prefix"},
		{"a", "a12uel5l", "bech32, not bech32m"},
		{"a", "a1" + strings.Repeat("q", 89), "too long"},
	} {
		_, err := bech32Decode(v.hrp, v.s)
		assert.Error(t, err, v.why)
	}
}

// TestEveryTypo tries every substitution, deletion, insertion and swap of neighbours
// in both text forms.
func TestEveryTypo(t *testing.T) {
	public, secret := fixed(t, 1).Public().String(), fixed(t, 1).Secret()
	for _, original := range []string{public, secret} {
		refused := func(s string) {
			if s == original {
				return
			}
			if _, err := ParsePublicKey(s); err == nil {
				t.Fatalf("accepted as a public key: %q", s)
			}
			if _, err := ParsePrivateKey(s); err == nil {
				t.Fatalf("accepted as a private key: %q", s)
			}
		}
		for i := 0; i <= len(original); i++ {
			for c := range 256 {
				refused(original[:i] + string([]byte{byte(c)}) + original[i:])
				if i < len(original) {
					refused(original[:i] + string([]byte{byte(c)}) + original[i+1:])
				}
			}
			if i < len(original) {
				refused(original[:i] + original[i+1:])
			}
			for _, c := range []string{"\u212a", "\u017f", "\u0130", "\u00a0", "\ufeff"} {
				refused(original[:i] + c + original[i:])
				refused(original[:i] + c + original[min(i+1, len(original)):])
			}
			if i+1 < len(original) {
				refused(original[:i] + original[i+1:i+2] + original[i:i+1] + original[i+2:])
			}
		}
	}
}

func FuzzBech32(f *testing.F) {
	f.Add("pysock", alicePublic)
	f.Add(secretPrefix, aliceSecret)
	f.Add("a", "a1lqfn3a")
	f.Add("?", "?1v759aa")
	f.Fuzz(func(t *testing.T, hrp, s string) {
		data, err := bech32Decode(hrp, s)
		if err != nil {
			return
		}
		if got := bech32Encode(hrp, data); got != s {
			t.Fatalf("%q decodes, and encodes as %q", s, got)
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(alicePublic)
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParsePublicKey(s)
		if err == nil && k.String() != s {
			t.Fatalf("%q parses, and prints as %q", s, k)
		}
	})
}

func TestBech32RoundTrip(t *testing.T) {
	for n := range 40 {
		data := bytes.Repeat([]byte{0xa7}, n)
		got, err := bech32Decode("x", bech32Encode("x", data))
		require.NoError(t, err)
		assert.Equal(t, data, append([]byte{}, got...))
	}
}
