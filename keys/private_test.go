package keys

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

func TestPrivateKey(t *testing.T) {
	k := fixed(t, 1)
	assert.Equal(t, aliceSecret, k.Secret())
	assert.Equal(t, alicePublic, k.Public().String())
	assert.Same(t, k.ECDH(), k.ECDH())
	same, err := ParsePrivateKey(aliceSecret)
	require.NoError(t, err)
	assert.Equal(t, k.ECDH().Bytes(), same.ECDH().Bytes())
	a, err := GeneratePrivateKey()
	require.NoError(t, err)
	b, err := GeneratePrivateKey()
	require.NoError(t, err)
	assert.NotEqual(t, a.Public(), b.Public())
	for _, n := range []int{0, 31, 32, 33} {
		_, err = NewPrivateKey(make([]byte, n))
		assert.ErrorIs(t, err, ErrInvalidKey)
	}
	assert.False(t, reflect.TypeFor[PrivateKey]().Comparable())
}

// secretForms are the ways in which a leak would show: text, hex, base64 and the
// decimal list of a byte slice.
func assertNoSecret(t *testing.T, out string) {
	t.Helper()
	for _, leak := range []string{aliceSecret[20:40], "0101010101", "AQEBAQEB", "1 1 1 1", "1,1,1,1", "0x1, 0x1"} {
		assert.NotContains(t, strings.ToUpper(out), strings.ToUpper(leak))
	}
}

func TestPrivateKeyNeverPrints(t *testing.T) {
	k := fixed(t, 1)
	f := &File{Name: "alice", Private: k}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c"} {
		for _, v := range []any{k, *k, []*PrivateKey{k}, map[string]*PrivateKey{"k": k}, *f, struct{ K *PrivateKey }{k}} {
			assertNoSecret(t, fmt.Sprintf(verb, v))
		}
		assert.Equal(t, redacted, fmt.Sprintf(verb, k))
		assert.Equal(t, redacted, fmt.Sprintf(verb, *k))
	}
	assert.Equal(t, redacted, k.String())
	assert.Equal(t, redacted, k.GoString())
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", k, "file", f)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", k, "file", f)
	assertNoSecret(t, out.String())
	assert.Contains(t, out.String(), redacted)
}

func TestPrivateKeyNeverMarshals(t *testing.T) {
	k := fixed(t, 1)
	for _, v := range []any{k, *k, File{Public: k.Public(), Private: k}} {
		_, err := json.Marshal(v)
		assert.ErrorIs(t, err, errPrivateMarshal)
		_, err = yaml.Marshal(v)
		assert.ErrorIs(t, err, errPrivateMarshal)
		assert.Error(t, gob.NewEncoder(&bytes.Buffer{}).Encode(v))
	}
	_, err := xml.Marshal(k)
	assert.ErrorIs(t, err, errPrivateMarshal)
	_, err = k.MarshalText()
	assert.ErrorIs(t, err, errPrivateMarshal)
	_, err = k.MarshalBinary()
	assert.ErrorIs(t, err, errPrivateMarshal)
}
