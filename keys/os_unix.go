//go:build unix

package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openNonblock opens a file for reading. Without O_NONBLOCK the open of a named pipe
// would wait for a writer, perhaps for ever.
func openNonblock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}

func checkMode(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return &FileError{Path: path, Err: fmt.Errorf("%w: the file's mode is %04o; run chmod 600 %s", ErrPermissions,
			mode, shellPath(path))}
	}
	return nil
}

// checkWritable refuses a file of known keys in which others can put theirs.
func checkWritable(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o002 != 0 {
		return &FileError{Path: path,
			Err: fmt.Errorf("everybody can change the file, its mode is %04o; check its lines and run chmod 600 %s",
				mode, shellPath(path))}
	}
	return nil
}

func checkFolder(path, folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return pathError(path, "cannot look at the folder", err)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return &FileError{Path: path, Err: fmt.Errorf("%w: everybody can replace files in its folder; run chmod o-w %s",
			ErrPermissions, shellPath(folder))}
	}
	return nil
}

// keepOwner gives f the owner and group of the file that it is to replace, so that
// root can edit a file of the account that a server runs under.
func keepOwner(f *os.File, old fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	was, ok := old.Sys().(*syscall.Stat_t)
	is, ok2 := info.Sys().(*syscall.Stat_t)
	if !ok || !ok2 || was.Uid == is.Uid && was.Gid == is.Gid {
		return nil
	}
	err = f.Chown(int(was.Uid), int(was.Gid))
	if was.Uid == is.Uid {
		return nil // another group of the same owner: mode 0600 gives it nothing
	}
	return err
}

// syncFolder makes a new or renamed name in the folder outlive a power failure.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems have no such call for folders; nothing better can be done.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

func rename(from, to string) error { return os.Rename(from, to) }
