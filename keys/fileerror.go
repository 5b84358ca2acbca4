package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode"
)

var (
	// ErrEncrypted is wrapped by the error of loading a file whose private key is
	// encrypted without a passphrase or an identity that could open it.
	ErrEncrypted = errors.New("the private key is encrypted")
	// ErrPassphrase is wrapped by the error for a wrong passphrase.
	ErrPassphrase = errors.New("wrong passphrase")
	// ErrPermissions is wrapped by the error for a private key in a file that others
	// can open, or in a folder where others can replace it.
	ErrPermissions = errors.New("other users can get at the private key")
)

// FileError says what is wrong in a key file or in a file of known keys.
type FileError struct {
	Path string // as it was given
	Line int    // counted from 1; 0 if the error is about the whole file
	Err  error  // what is wrong and what to do
}

// Error returns one line, PATH:LINE: what is wrong and what to do. It never contains
// a private key.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", displayPath(e.Path), e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", displayPath(e.Path), e.Line, e.Err)
}

// Unwrap returns Err.
func (e *FileError) Unwrap() error { return e.Err }

// pathError takes the operation and the path out of an error of package os, whose
// text would say the path again.
func pathError(path, doing string, err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	}
	return &FileError{Path: path, Err: fmt.Errorf("%s: %w", doing, err)}
}

// quote returns untrusted text in a form that is safe to print: quoted, shortened,
// and left out if a private key was pasted into it.
func quote(s string) string {
	upper := strings.ToUpper(s)
	if strings.Contains(upper, strings.TrimSuffix(secretPrefix, "-")) || strings.Contains(upper, "AGE-SECRET-KEY") {
		return "(a private key, not shown)"
	}
	const most = 80
	if len(s) > most {
		return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "…"
	}
	return strconv.Quote(s)
}

// displayPath leaves a path readable unless something in it would not print.
func displayPath(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(path)
	}
	return path
}

// shellPath returns the path in a form that a shell takes as one argument.
func shellPath(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	harmless := func(r rune) bool {
		return r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("/._-+@%,:=", r)
	}
	switch {
	case strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }):
		return strconv.Quote(path)
	case !strings.ContainsFunc(path, func(r rune) bool { return !harmless(r) }):
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
