//go:build unix

package parity_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pysock/pysock/internal/testworld"
	"github.com/pysock/pysock/keys"
)

// Keys in a world-readable file: here they are written for their owner alone, and not read from a
// file that others can read.
func TestWrong_PySock_KeyFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alice.yaml")
	require.NoError(t, testworld.NewKey(t, "alice").Create(path, nil))
	mode := func() fs.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	require.Equal(t, fs.FileMode(0o600), mode())
	_, err := keys.Load(path)
	require.NoError(t, err)
	for _, open := range []fs.FileMode{0o644, 0o640, 0o604} {
		require.NoError(t, os.Chmod(path, open))
		_, err = keys.Load(path)
		var bad *keys.FileError
		require.ErrorAs(t, err, &bad, "%o", open)
		require.ErrorContains(t, err, "chmod", "it says what mends it")
	}
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, keys.Update(path, nil, func(f *keys.File) error {
		f.Peers = map[string]keys.PublicKey{"bob": testworld.NewKey(t, "bob").Public}
		return nil
	}))
	require.Equal(t, fs.FileMode(0o600), mode())
	require.ErrorIs(t, testworld.NewKey(t, "alice").Create(path, nil), fs.ErrExist, "nor is one overwritten")
}

// … rewritten in place: here a new file takes the place of the old at once, so that who reads, or
// loses power, has the one or the other.
func TestWrong_PySock_KeyFilesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "alice.yaml")
	require.NoError(t, testworld.NewKey(t, "alice").Create(path, nil))
	reader, err := os.Open(path)
	require.NoError(t, err)
	defer reader.Close()
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, keys.Update(path, nil, func(f *keys.File) error {
		f.Peers = map[string]keys.PublicKey{"bob": testworld.NewKey(t, "bob").Public}
		return nil
	}))
	had, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Equal(t, before, had, "who had it open has it whole")
	was, err := reader.Stat()
	require.NoError(t, err)
	now, err := os.Stat(path)
	require.NoError(t, err)
	require.False(t, os.SameFile(was, now))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	_, err = keys.Load(path)
	require.NoError(t, err)
}
