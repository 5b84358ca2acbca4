//go:build unix && !aix && !solaris

package server

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func tryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		case !errors.Is(err, unix.EINTR):
			return err
		}
	}
}

// unlockNames removes the lock file while it still has the lock: lockNames finds out. One that is left does no harm.
func unlockNames(f *os.File) error {
	os.Remove(f.Name())
	return f.Close()
}
