package keys

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(badFiles, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			_, err = Parse(name, data, &LoadOptions{Passphrase: func(string) ([]byte, error) { return []byte(testPassphrase), nil }})
			require.Error(t, err)
			var fe *FileError
			require.ErrorAs(t, err, &fe)
			assert.Equal(t, name, fe.Path)
			got := strings.TrimPrefix(err.Error(), name) + "\n"
			assert.Equal(t, 1, strings.Count(got, "\n"), "an error is one line")
			assert.NotRegexp(t, `(?i)PYSOCK-SECRET-1[a-z0-9]`, got, "no private key in an error")
			expected := strings.TrimSuffix(path, ".yaml") + ".error"
			if *updateErrors {
				require.NoError(t, os.WriteFile(expected, []byte(got), 0o644))
			}
			want, err := os.ReadFile(expected)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

func TestBadFilesAreComplete(t *testing.T) {
	expected, err := filepath.Glob(filepath.Join(badFiles, "*.error"))
	require.NoError(t, err)
	for _, path := range expected {
		assert.FileExists(t, strings.TrimSuffix(path, ".error")+".yaml")
	}
}
