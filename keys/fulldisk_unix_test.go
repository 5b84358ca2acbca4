//go:build unix

package keys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const fullDirEnv = "PYSOCK_TEST_FULL_DIR"

func init() { children["full"] = writeToFullDisk }

// writeToFullDisk is a process in which every file ends after 100 bytes, as on a disk
// that is full.
func writeToFullDisk() int {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 100, Max: 100}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println(err)
		return 1
	}
	dir := os.Getenv(fullDirEnv)
	k, err := NewPrivateKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	s, err := OpenKnownServers(filepath.Join(dir, "known"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for _, err := range []error{
		(&File{Name: "new", Private: k}).Create(filepath.Join(dir, "new.yaml"), nil),
		Update(filepath.Join(dir, "id.yaml"), nil, func(f *File) error { f.Name = "changed"; return nil }),
		s.Remember("another.example:7700", k.Public()),
	} {
		var fe *FileError
		if !errors.Is(err, syscall.EFBIG) || !errors.As(err, &fe) {
			fmt.Println("want a file error of a full disk:", err)
			return 1
		}
	}
	return 0
}

func TestFullDiskLeavesWhatWasThere(t *testing.T) {
	path := place(t, "client.yaml")
	dir := filepath.Dir(path)
	known := filepath.Join(dir, "known")
	require.NoError(t, os.WriteFile(known, []byte("hub.example:7700 "+hubPublic+"\n"), 0o600))
	before, knownBefore := read(t, path), read(t, known)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=full", fullDirEnv+"="+dir, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, before, read(t, path))
	assert.Equal(t, knownBefore, read(t, known))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2, "something was left: %v", left)
}

// TestOwnerIsKept matters for root, who edits the files of a server's account.
func TestOwnerIsKept(t *testing.T) {
	path := place(t, "client.yaml")
	owner := os.Getuid()
	if owner == 0 {
		owner = 12345
	}
	require.NoError(t, os.Chown(path, owner, -1))
	require.NoError(t, Update(path, nil, func(f *File) error { f.Name = "changed"; return nil }))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.EqualValues(t, owner, info.Sys().(*syscall.Stat_t).Uid)
}
