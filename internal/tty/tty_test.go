package tty

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReadPassphraseFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pass")
	for content, want := range map[string]string{
		"horse": "horse", "horse\n": "horse", "horse\r\n": "horse", " a b \n": " a b ", "\xff\n": "\xff",
		strings.Repeat("x", maxPassphrase): strings.Repeat("x", maxPassphrase),
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		for _, get := range []func() ([]byte, error){
			func() ([]byte, error) { return ReadPassphraseFile(path) },
			func() ([]byte, error) { return Passphrase(path)("key.yaml") },
			func() ([]byte, error) { return NewPassphrase(path) },
		} {
			got, err := get()
			require.NoError(t, err)
			assert.Equal(t, want, string(got))
		}
	}
	for _, content := range []string{"", "\n", "\r\n", "a\nb", "a\nb\n", "a\n\n", "a\r", strings.Repeat("x", maxPassphrase+1)} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := ReadPassphraseFile(path)
		require.Error(t, err, "%q", content)
		assert.Contains(t, err.Error(), "give a file with the passphrase as its only line")
		assert.NotContains(t, err.Error(), "\n")
	}
	_, err := ReadPassphraseFile(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ReadPassphraseFile(t.TempDir())
	require.Error(t, err)
}

func TestPassphraseFileOfOthers(t *testing.T) {
	if !hasModes {
		return // nothing says who can read a file
	}
	path := filepath.Join(t.TempDir(), "it's")
	require.NoError(t, os.WriteFile(path, []byte("horse\n"), 0o600))
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o444} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := ReadPassphraseFile(path)
		require.ErrorContains(t, err, "other users can get at it, its mode is "+fmt.Sprintf("%04o", mode)+"; run chmod 600 '")
		require.ErrorContains(t, err, `/it'\''s'`)
	}
	require.NoError(t, os.Chmod(path, 0o400))
	got, err := ReadPassphraseFile(path)
	require.NoError(t, err)
	assert.Equal(t, "horse", string(got))
}

func TestShellPath(t *testing.T) {
	for in, want := range map[string]string{"a/b-1.x_y": "a/b-1.x_y", "Zoë": "Zoë", "-f": "./-f", "a b": "'a b'", "-a b": "'./-a b'"} {
		assert.Equal(t, want, shellPath(in))
	}
}

func TestPrintable(t *testing.T) {
	assert.Equal(t, "Zoë\uFFFD[2J\uFFFD?", printable("Zoë\x1b[2J\u202e?"))
}
