package server

import (
	"errors"
	"os"
)

// errLocked says that somebody has the lock.
var errLocked = errors.New("the file is locked")

// lockNames takes the lock at path, or fails at once with errLocked. The lock is not on the book
// itself: that is replaced by a rename, and a lock on it would stay with the old file.
func lockNames(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := tryLock(f); err != nil {
			f.Close()
			return nil, err
		}
		// Who had the lock may have removed the file before letting go of it: then this is a lock on nothing.
		mine, err := f.Stat()
		if err == nil {
			if there, err := os.Stat(path); err == nil && os.SameFile(mine, there) {
				return f, nil
			}
		}
		f.Close()
	}
}
