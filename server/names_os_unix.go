//go:build unix

package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkNamesMode refuses a book in which everybody can give names to keys.
func checkNamesMode(info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o002 != 0 {
		return fmt.Errorf("everybody can change the file, its mode is %04o; check its lines and run chmod 600 on it",
			mode)
	}
	return nil
}

// syncNamesFolder makes a renamed file in the folder outlive a power failure.
func syncNamesFolder(folder string) error {
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

func renameNames(from, to string) error { return os.Rename(from, to) }
