package keys

import (
	"bytes"
	"io"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sealText encrypts any text to the test passphrase.
func sealText(t testing.TB, plain string) string {
	t.Helper()
	r, err := age.NewScryptRecipient(testPassphrase)
	require.NoError(t, err)
	r.SetWorkFactor(2)
	var out bytes.Buffer
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, r)
	require.NoError(t, err)
	_, err = io.WriteString(w, plain)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, a.Close())
	return out.String()
}

func TestWriteOptions(t *testing.T) {
	f := &File{Name: "alice", Private: fixed(t, 1)}
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	x25519, err := age.ParseX25519Identity(testIdentity)
	require.NoError(t, err)
	for _, id := range []age.Identity{hybrid, x25519} {
		var recipient age.Recipient = x25519.Recipient()
		if id == hybrid {
			recipient = hybrid.Recipient()
		}
		data, err := f.Encode(&WriteOptions{Recipients: []age.Recipient{recipient}})
		require.NoError(t, err)
		assert.NotContains(t, string(data), secretPrefix)
		got, err := Parse("x", data, &LoadOptions{Identities: []age.Identity{id}})
		require.NoError(t, err)
		assert.Equal(t, f.Private.Secret(), got.Private.Secret())
	}
	scrypt, err := age.NewScryptRecipient("x")
	require.NoError(t, err)
	for name, o := range map[string]*WriteOptions{
		"empty passphrase":      {Passphrase: []byte{}},
		"no recipients":         {Recipients: []age.Recipient{}},
		"both":                  {Passphrase: []byte("x"), Recipients: []age.Recipient{x25519.Recipient()}},
		"work factor too large": {Passphrase: []byte("x"), WorkFactor: WorkFactor + 1},
		"work factor negative":  {Passphrase: []byte("x"), WorkFactor: -1},
		"recipient of a kind":   {Recipients: []age.Recipient{scrypt}},
		"kinds mixed":           {Recipients: []age.Recipient{x25519.Recipient(), hybrid.Recipient()}},
	} {
		_, err := f.Encode(o)
		assert.Error(t, err, name)
	}
	_, err = (&File{Name: "alice", Public: f.Private.Public()}).Encode(&WriteOptions{Passphrase: []byte("x")})
	assert.Error(t, err, "nothing to encrypt")
}

func TestParseRecipient(t *testing.T) {
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	for _, s := range []string{"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", hybrid.Recipient().String()} {
		_, err := ParseRecipient(s)
		assert.NoError(t, err)
	}
	for s, want := range map[string]string{
		"":                 "not supported",
		testIdentity:       "(a private key, not shown) is of a kind",
		"ssh-ed25519 AAAA": "not supported",
		"age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t": "not supported",
		"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q":          "mistyped",
		hybrid.Recipient().String()[:100]:                                         "mistyped",
	} {
		_, err := ParseRecipient(s)
		assert.ErrorContains(t, err, want)
	}
}

func TestLoadIdentities(t *testing.T) {
	ids, err := LoadIdentities(write(t, "# a comment\n"+testIdentity+"\n"))
	require.NoError(t, err)
	_, err = LoadWith(place(t, "encrypted-recipient.yaml"), &LoadOptions{Identities: ids})
	require.NoError(t, err)
	_, err = LoadIdentities(write(t, "AGE-PLUGIN-YUBIKEY-1XXXX\n"))
	require.Error(t, err)
	_, err = LoadIdentities(t.TempDir() + "/none")
	require.Error(t, err)
}
