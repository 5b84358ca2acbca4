package keys

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Update changes the key file at path: it reads it, calls change with its content,
// and puts a new file in its place, at once and with the same mode and owner. What
// change leaves alone keeps its place, its comments and its style (though not blank
// lines and indentation). If change returns an error or changes nothing, the file is
// not touched, and that error is returned.
//
// An encrypted private key stays as it is and needs no passphrase: change sees a nil
// Private. A private key that change sets is written as opts says; replacing an
// encrypted one in clear is refused. Nil options are the same as none.
//
// Other updates of the same file wait meanwhile, in this process and in others, for
// as long as change takes: it must not wait for a person. If path is a symbolic link,
// what it leads to is replaced. The errors are those of [LoadWith]. change must not
// keep its argument.
func Update(path string, opts *WriteOptions, change func(*File) error) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		target = path // reading it says what is wrong, with the path that was given
	}
	return withLock(target, func() error { return update(path, target, opts, change) })
}

func update(path, target string, opts *WriteOptions, change func(*File) error) error {
	d, r, err := loadDocument(path)
	if err != nil {
		return err
	}
	before, err := d.open(&LoadOptions{PublicOnly: true})
	if errors.Is(err, ErrEncrypted) {
		return &FileError{Path: path, Line: d.private.Line,
			Err: fmt.Errorf("%w and the file has no public_key; add the line public_key: KEY", ErrEncrypted)}
	}
	if err != nil {
		return err
	}
	after := before.clone()
	if err := change(after); err != nil {
		return err
	}
	sameKey := after.Private == before.Private
	if sameKey && after.sameContent(before) {
		return nil
	}
	if !sameKey {
		if after.Private != nil && before.Encrypted && !opts.encrypts() {
			return &FileError{Path: path, Err: errors.New("its private key is encrypted, and the new one would not be; give a passphrase or recipients")}
		}
		if after.Private != nil && after.Public == before.Public {
			after.Public = after.Private.Public()
		}
	}
	if err := d.apply(after, opts); err != nil {
		return &FileError{Path: path, Err: err}
	}
	data, err := d.encode(after)
	if err != nil {
		return &FileError{Path: path, Err: err}
	}
	return replaceFile(target, data, r.info)
}
