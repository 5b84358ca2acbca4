//go:build aix || solaris

package keys

import (
	"errors"
	"os"
)

// lockFile fails rather than pretend: without a lock, two writers lose an entry.
func lockFile(*os.File) error { return errors.ErrUnsupported }

func release(f *os.File) { f.Close() }
