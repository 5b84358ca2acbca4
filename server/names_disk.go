package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pysock/pysock/keys"
)

// open locks the file and reads it, or makes it.
func (n *Names) open() error {
	path, err := filepath.Abs(n.given)
	if err != nil {
		return n.pathError("cannot find the file", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return n.pathError("cannot make the folder", err)
	}
	// The lock, and what replaces the file, must be beside the file itself: two links to it are one book.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	lock, err := lockNames(path + ".lock")
	switch {
	case errors.Is(err, errLocked):
		return n.fileError(0,
			errors.New("another server has these names open; stop it, or give this one a file of its own"))
	case err != nil:
		return n.pathError("cannot lock the file", err)
	}
	n.path, n.lock = path, lock
	if err := n.load(); err != nil {
		_ = unlockNames(lock) // the first error says what is wrong
		return err
	}
	return nil
}

func (n *Names) load() error {
	data, err := n.readFile()
	if errors.Is(err, fs.ErrNotExist) {
		n.lines = slices.Clone(newNames)
		return n.replaceFile(appendNames(nil, n.lines)) // so that a folder that cannot be written is found now
	}
	if err != nil {
		return err
	}
	return n.parse(data)
}

// readFile reads the file. The path was checked to be a regular file because opening a named pipe
// would wait for its other end.
func (n *Names) readFile() ([]byte, error) {
	info, err := os.Stat(n.path)
	switch {
	case err != nil:
		return nil, n.pathError("cannot look at the file", err)
	case !info.Mode().IsRegular():
		return nil, n.fileError(0, errors.New("this is not a regular file; give the path of one"))
	}
	if err := checkNamesMode(info); err != nil {
		return nil, n.fileError(0, err)
	}
	f, err := os.Open(n.path)
	if err != nil {
		return nil, n.pathError("cannot open the file", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxNamesFile+1))
	switch {
	case err != nil:
		return nil, n.pathError("cannot read the file", err)
	case len(data) > maxNamesFile:
		return nil, n.fileError(0,
			errors.New("the file is larger than 16 MiB; this is not a file that PySock wrote: check the path"))
	}
	return data, nil
}

// replaceFile puts a file with the data in the place of the old one, so that at any moment, also
// after a power failure, there is one of the two.
func (n *Names) replaceFile(data []byte) error {
	if len(data) > maxNamesFile {
		return n.fileError(0, errors.New("the file would be larger than 16 MiB; stop the server and remove comments"))
	}
	// The lock makes this process the only one that uses the name, so one that is there is left from a crash.
	temp := filepath.Join(filepath.Dir(n.path), "."+filepath.Base(n.path)+".tmp")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return n.pathError("cannot write beside the file", err)
	}
	// O_EXCL does not follow a link that somebody has put there.
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return n.pathError("cannot write beside the file", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = renameNames(temp, n.path)
	}
	if err != nil {
		os.Remove(temp)
		return n.pathError("cannot replace the file", err)
	}
	if err := syncNamesFolder(filepath.Dir(n.path)); err != nil {
		return n.pathError("cannot write the folder", err)
	}
	return nil
}

func (n *Names) fileError(number int, err error) error {
	return &keys.FileError{Path: n.given, Line: number, Err: err}
}

// pathError takes the path out of an error of package os, whose text would say it again.
func (n *Names) pathError(doing string, err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	}
	return n.fileError(0, fmt.Errorf("%s: %w", doing, err))
}
