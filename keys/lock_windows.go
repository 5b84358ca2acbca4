package keys

import (
	"os"

	"golang.org/x/sys/windows"
)

func lockFile(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped))
}

// release leaves the lock file where it is: Windows cannot remove it before it is
// closed, and then somebody else may have the lock.
func release(f *os.File) { f.Close() }
