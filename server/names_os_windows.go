package server

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// Windows has access lists in place of modes, which a new file inherits from its folder.

func checkNamesMode(fs.FileInfo) error { return nil }

func syncNamesFolder(string) error { return nil }

// renameNames waits out a reader: Windows does not replace a file that somebody, such as a virus scanner, has open.
func renameNames(from, to string) error {
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
