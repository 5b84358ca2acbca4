//go:build unix && !aix && !solaris

package server

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamesFileModes(t *testing.T) {
	path := namesPath(t)
	n := openNames(t, path, nil)
	mode := func() os.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	assert.Equal(t, os.FileMode(0o600), mode())
	require.NoError(t, os.Chmod(path, 0o644))
	require.NoError(t, n.Claim("alice", nameKey(t, 1), noon))
	assert.Equal(t, os.FileMode(0o600), mode())
	require.NoError(t, n.Close())
	assert.NoFileExists(t, path+".lock")

	require.NoError(t, os.Chmod(path, 0o602))
	_, err := OpenNames(path, nil)
	assert.ErrorContains(t, err, "everybody can change the file")
	require.NoError(t, os.Remove(path))
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err = OpenNames(path, nil)
	assert.ErrorContains(t, err, "not a regular file", "opening it would wait")
}
