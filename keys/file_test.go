package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGoodFiles(t *testing.T) {
	alice, bob, hub := public(t, alicePublic), public(t, bobPublic), public(t, hubPublic)
	want := map[string]*File{
		"minimal.yaml":     {Name: "alice", Public: alice},
		"public-only.yaml": {Name: "bob", Public: bob},
		"client.yaml": {Name: "alice", Public: alice, Server: &ServerRef{Address: "hub.example:7700", Key: hub},
			Peers: map[string]PublicKey{"bob": bob}},
		"client-addresses.yaml": {Name: "alice", Public: alice, Server: &ServerRef{Address: "hub.example:7700", Key: hub,
			Also: []string{"hub2.example:7700", "[2001:db8::7]:7700", "hub.example:443"}}},
		"server.yaml": {Name: "hub", Public: hub, Listen: ":7700",
			Clients: map[string]PublicKey{"alice": alice, "bob": bob}},
		"open-server.yaml": {Name: "hub", Public: hub, Listen: "[::1]:0", Open: true},
		"names.yaml": {Name: "Zoë", Public: alice, Server: &ServerRef{Address: "[fe80::1%eth0]:7700"},
			Peers: map[string]PublicKey{"1": bob, "боб-2.x": hub}},
		"encrypted-passphrase.yaml": {Name: "alice", Public: alice, Encrypted: true},
		"encrypted-recipient.yaml":  {Name: "alice", Public: alice, Encrypted: true},
	}
	files, err := os.ReadDir(goodFiles)
	require.NoError(t, err)
	assert.Len(t, files, len(want))
	id, err := age.ParseX25519Identity(testIdentity)
	require.NoError(t, err)
	for name, w := range want {
		t.Run(name, func(t *testing.T) {
			path := place(t, name)
			f, err := LoadWith(path, &LoadOptions{
				Passphrase: func(p string) ([]byte, error) {
					assert.Equal(t, path, p)
					return []byte(testPassphrase), nil
				},
				Identities: []age.Identity{id},
			})
			require.NoError(t, err)
			assert.True(t, w.sameContent(f), "%+v", f)
			assert.Equal(t, FileVersion, f.Version)
			assert.Equal(t, path, f.Path)
			assert.Equal(t, w.Encrypted, f.Encrypted)
			if name == "public-only.yaml" {
				assert.Nil(t, f.Private)
			} else {
				assert.Equal(t, f.Public, f.Private.Public())
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(goodFiles, "minimal.yaml"))
	require.NoError(t, err)
	refused := func(path, text string) error {
		t.Helper()
		_, err := Load(path)
		var fe *FileError
		require.ErrorAs(t, err, &fe)
		assert.Contains(t, err.Error(), text)
		assert.True(t, strings.HasPrefix(err.Error(), path+": "), err)
		assert.NotContains(t, err.Error(), "\n")
		return err
	}
	folder := t.TempDir()
	require.ErrorIs(t, refused(filepath.Join(folder, "none.yaml"), "does not exist; check the path, or make a key file with pysock-keygen"),
		fs.ErrNotExist)
	refused(folder, "is a directory")
	refused(write(t, ""), "is empty")
	refused(write(t, string(good)+"#"+strings.Repeat("x", maxFile)), "larger than 1 MiB")
	refused(filepath.Join(write(t, "x"), "y"), "not a directory")
	_, err = Parse("x", make([]byte, maxFile+1), nil)
	assert.ErrorIs(t, err, errTooLarge)

	_, err = Load(write(t, string(good)+"#"+strings.Repeat("x", maxFile-len(good)-1)))
	assert.NoError(t, err, "exactly 1 MiB")
}

func TestEncryptedFiles(t *testing.T) {
	pass := func(s string) *LoadOptions {
		return &LoadOptions{Passphrase: func(string) ([]byte, error) { return []byte(s), nil }}
	}
	byPassphrase, byRecipient := place(t, "encrypted-passphrase.yaml"), place(t, "encrypted-recipient.yaml")
	for _, path := range []string{byPassphrase, byRecipient} {
		_, err := Load(path)
		require.ErrorIs(t, err, ErrEncrypted)
		f, err := LoadWith(path, &LoadOptions{PublicOnly: true})
		require.NoError(t, err)
		assert.Nil(t, f.Private)
		assert.True(t, f.Encrypted)
		assert.Equal(t, alicePublic, f.Public.String())
	}
	_, err := LoadWith(byPassphrase, pass("wrong horse"))
	require.ErrorIs(t, err, ErrPassphrase)
	_, err = LoadWith(byPassphrase, pass(""))
	require.ErrorIs(t, err, ErrPassphrase)
	gaveUp := errors.New("gave up")
	_, err = LoadWith(byPassphrase, &LoadOptions{Passphrase: func(string) ([]byte, error) { return nil, gaveUp }})
	require.ErrorIs(t, err, gaveUp)
	_, err = LoadWith(byRecipient, pass(testPassphrase))
	require.ErrorIs(t, err, ErrEncrypted, "a passphrase is not what it is encrypted to")

	other, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	_, err = LoadWith(byRecipient, &LoadOptions{Identities: []age.Identity{other}})
	require.ErrorIs(t, err, ErrEncrypted)
	scrypt, err := age.NewScryptIdentity(testPassphrase)
	require.NoError(t, err)
	_, err = LoadWith(byPassphrase, &LoadOptions{Identities: []age.Identity{scrypt}})
	require.ErrorContains(t, err, "not supported", "its work factor is not ours to cap")
}

// TestEncryptedWrongContent has what is encrypted be anything but the right key.
func TestEncryptedWrongContent(t *testing.T) {
	seal := func(k *PrivateKey) string {
		text, err := sealPrivate(k, &WriteOptions{Passphrase: []byte(testPassphrase), WorkFactor: 2})
		require.NoError(t, err)
		return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
	}
	open := &LoadOptions{Passphrase: func(string) ([]byte, error) { return []byte(testPassphrase), nil }}
	head := "version: 1\nname: alice\n"
	f, err := Parse("x", []byte(head+"private_key: |\n"+seal(fixed(t, 1))), open)
	require.NoError(t, err)
	assert.Equal(t, alicePublic, f.Public.String(), "the public key comes from the private one")
	_, err = Parse("x", []byte(head+"public_key: "+bobPublic+"\nprivate_key: |\n"+seal(fixed(t, 1))), open)
	require.ErrorIs(t, err, errKeysDiffer)
	_, err = Parse("x", []byte(head+"private_key: |\n"+seal(fixed(t, 1))), &LoadOptions{PublicOnly: true})
	require.ErrorIs(t, err, ErrEncrypted)

	for _, plain := range []string{"", "hello", alicePublic, aliceSecret + "\n\n", aliceSecret[1:], strings.Repeat("x", 300)} {
		_, err = decryptPrivate("x", sealText(t, plain), open)
		require.Error(t, err)
		assertNoSecret(t, err.Error())
	}
	// Each piece of the armor is cut off or altered.
	text := sealText(t, aliceSecret+"\n")
	_, err = decryptPrivate("x", text, open)
	require.NoError(t, err)
	for i := 40; i < len(text)-36; i += 7 {
		damaged := text[:i] + string(text[i]^1) + text[i+1:]
		_, err = decryptPrivate("x", damaged, open)
		require.Error(t, err, "%d", i)
	}
}
