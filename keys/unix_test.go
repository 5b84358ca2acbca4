//go:build unix

package keys

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestModes(t *testing.T) {
	path := place(t, "minimal.yaml")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o777} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := Load(path)
		require.ErrorIs(t, err, ErrPermissions, "%o", mode)
		assert.Contains(t, err.Error(), "; run chmod 600 "+path)
	}
	for _, mode := range []os.FileMode{0o600, 0o700} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := Load(path)
		require.NoError(t, err)
	}
	encrypted := place(t, "encrypted-passphrase.yaml")
	require.NoError(t, os.Chmod(encrypted, 0o644))
	_, err := LoadWith(encrypted, &LoadOptions{Passphrase: func(string) ([]byte, error) {
		t.Error("asked for the passphrase of a file that is refused")
		return nil, nil
	}})
	require.ErrorIs(t, err, ErrPermissions)
	open := place(t, "public-only.yaml")
	require.NoError(t, os.Chmod(open, 0o644))
	_, err = Load(open)
	require.NoError(t, err, "no private key, nothing to keep")
	require.NoError(t, os.Chmod(path, 0o644))
	require.ErrorIs(t, Update(path, nil, nil), ErrPermissions)
	_, err = LoadIdentities(path)
	require.ErrorIs(t, err, ErrPermissions)
}

func TestFolders(t *testing.T) {
	path := place(t, "minimal.yaml")
	folder := filepath.Dir(path)
	require.NoError(t, os.Chmod(folder, 0o777))
	_, err := Load(path)
	require.ErrorIs(t, err, ErrPermissions)
	assert.Contains(t, err.Error(), "chmod o-w "+folder)

	link := filepath.Join(t.TempDir(), "link.yaml")
	require.NoError(t, os.Symlink(path, link))
	_, err = Load(link)
	require.ErrorIs(t, err, ErrPermissions, "what the link leads to counts")
	require.NoError(t, os.Chmod(folder, 0o777|os.ModeSticky))
	_, err = Load(link)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(folder, 0o775))
	_, err = Load(path)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(filepath.Dir(link), 0o777))
	_, err = Load(link)
	require.ErrorIs(t, err, ErrPermissions, "the link's own folder counts")
}

func TestLinks(t *testing.T) {
	path := place(t, "minimal.yaml")
	link := filepath.Join(filepath.Dir(path), "link.yaml")
	require.NoError(t, os.Symlink("id.yaml", link))
	require.NoError(t, Update(link, nil, func(f *File) error { f.Name = "linked"; return nil }))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink, "the link stays a link")
	f, err := Load(path)
	require.NoError(t, err)
	assert.Equal(t, "linked", f.Name)

	dangling := filepath.Join(filepath.Dir(path), "dangling.yaml")
	require.NoError(t, os.Symlink("nowhere.yaml", dangling))
	require.ErrorIs(t, f.Create(dangling, nil), os.ErrExist)
	assert.NoFileExists(t, filepath.Join(filepath.Dir(path), "nowhere.yaml"))
}

func TestCreatedMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.yaml")
	require.NoError(t, (&File{Name: "x", Private: fixed(t, 1)}).Create(path, nil))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.Chmod(path, 0o700))
	require.NoError(t, Update(path, nil, func(f *File) error { f.Name = "y"; return nil }))
	info, err = os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

// TestSpecialFiles would hang if the open waited for a writer.
func TestSpecialFiles(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, path := range []string{pipe, "/dev/null"} {
		_, err := Load(path)
		require.ErrorContains(t, err, "not a regular file")
		_, err = OpenKnownServers(path)
		require.ErrorContains(t, err, "not a regular file")
	}
}

func TestKnownFileOthersCanWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chmod(path, 0o666))
	_, err := OpenKnownServers(path)
	require.ErrorContains(t, err, "chmod 600 "+path)
}

func TestShellPath(t *testing.T) {
	for in, want := range map[string]string{
		"a/b.yaml": "a/b.yaml", "-x": "./-x", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "a\nb": `"a\nb"`,
	} {
		assert.Equal(t, want, shellPath(in))
	}
	assert.Equal(t, `"a\nb": x`, (&FileError{Path: "a\nb", Err: assertErr("x")}).Error())
}

type assertErr string

func (e assertErr) Error() string { return string(e) }
