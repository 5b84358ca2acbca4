package tty

import (
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

func TestPrintable(t *testing.T) {
	assert.Equal(t, "Zoë\uFFFD[2J\uFFFD?", printable("Zoë\x1b[2J\u202e?"))
}
