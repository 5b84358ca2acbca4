package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// createFile writes a file that must not be there yet, of mode 0600.
func createFile(path string, data []byte) error {
	// O_EXCL does not follow a link either, so nothing of anybody's is overwritten,
	// and what is removed after a failure is what was made here.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return pathError(path, "cannot create the file", err)
	}
	if err := errors.Join(writeAll(f, data), f.Close()); err != nil {
		os.Remove(path)
		return pathError(path, "cannot write the file", err)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		os.Remove(path)
		return pathError(path, "cannot write the folder", err)
	}
	return nil
}

// replaceFile puts a file with the data in the place of path, so that at any moment,
// also after a power failure, there is the old file or the new one. It keeps the mode
// and owner of the old file, if there is one.
func replaceFile(path string, data []byte, old fs.FileInfo) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*.tmp") // of mode 0600
	if err != nil {
		return pathError(path, "cannot write beside the file", err)
	}
	if old != nil {
		err = errors.Join(keepOwner(f, old), f.Chmod(old.Mode().Perm()))
	}
	if err == nil {
		err = writeAll(f, data)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return pathError(path, "cannot replace the file", err)
	}
	if err := syncFolder(folder); err != nil {
		return pathError(path, "cannot write the folder", err)
	}
	return nil
}

func writeAll(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
