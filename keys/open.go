package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// maxFile is the most bytes that a key file or a file of known keys may have.
const maxFile = 1 << 20

var errTooLarge = errors.New("the file is larger than 1 MiB; this is not a file that PySock wrote: check the path")

// regularFile is what was read, and what the open file it was read from is.
type regularFile struct {
	data []byte
	info fs.FileInfo
}

// readRegular reads a regular file of at most maxFile bytes. It does not wait for the
// other end of a named pipe, and what it checks is the open file: the path may mean
// another a moment later. The hint says how such a file is made.
func readRegular(path, hint string) (*regularFile, error) {
	f, err := openNonblock(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FileError{Path: path, Err: fmt.Errorf("%w; check the path, or %s", fs.ErrNotExist, hint)}
	case err != nil:
		return nil, pathError(path, "cannot open the file", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, pathError(path, "cannot look at the file", err)
	case info.IsDir():
		return nil, &FileError{Path: path, Err: errors.New("this is a directory; give the path of a file")}
	case !info.Mode().IsRegular():
		return nil, &FileError{Path: path, Err: errors.New("this is not a regular file; give the path of one")}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, pathError(path, "cannot read the file", err)
	}
	if len(data) > maxFile {
		return nil, &FileError{Path: path, Err: errTooLarge}
	}
	return &regularFile{data, info}, nil
}

// checkPrivate refuses a file with a secret in it that others can get at.
func checkPrivate(path string, info fs.FileInfo) error {
	if err := checkMode(path, info); err != nil {
		return err
	}
	// Who can write the folder can put another file in its place. If the path is a
	// link, that goes for the folder of the link and for the folder it leads to.
	folder := filepath.Dir(path)
	if err := checkFolder(path, folder); err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Dir(real) != folder {
		return checkFolder(path, filepath.Dir(real))
	}
	return nil
}
