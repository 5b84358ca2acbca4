//go:build unix && !aix && !solaris

package keys

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func lockFile(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// release removes the lock file while it still has the lock: acquire finds out.
func release(f *os.File) {
	os.Remove(f.Name())
	f.Close()
}
