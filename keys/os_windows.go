package keys

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

func openNonblock(path string) (*os.File, error) { return os.Open(path) }

// Windows has access lists in place of modes, which a new file inherits from its
// folder; LoadWith documents that they are not looked at.

func checkMode(string, fs.FileInfo) error { return nil }

func checkWritable(string, fs.FileInfo) error { return nil }

func checkFolder(string, string) error { return nil }

func keepOwner(*os.File, fs.FileInfo) error { return nil }

func syncFolder(string) error { return nil }

// rename waits out a reader: Windows does not replace a file that somebody has open,
// and readers here have it open for a moment only.
func rename(from, to string) error {
	const tries, pause = 100, 10 * time.Millisecond
	var err error
	for range tries {
		err = os.Rename(from, to)
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return err
		}
		time.Sleep(pause)
	}
	return err
}
