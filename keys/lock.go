package keys

import (
	"os"
)

// withLock runs fn while no other call for the same path runs, in this process or in
// another. It waits as long as that takes. The lock is on a file beside path: path
// itself is replaced by a rename, and a lock on it would be left with the old file.
func withLock(path string, fn func() error) (err error) {
	f, err := acquire(path + ".lock")
	if err != nil {
		return pathError(path, "cannot lock the file", err)
	}
	defer release(f)
	return fn()
}

func acquire(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f); err != nil {
			f.Close()
			return nil, err
		}
		// Who had the lock may have removed the file: then this is a lock on nothing.
		mine, err := f.Stat()
		if err == nil {
			if there, err := os.Stat(path); err == nil && os.SameFile(mine, there) {
				return f, nil
			}
		}
		f.Close()
	}
}
