package tty

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unicode"
)

// hasModes says whether a file's mode says who can read it.
const hasModes = runtime.GOOS != "windows"

// maxPassphrase is the most bytes that a passphrase in a file may have.
const maxPassphrase = 4096

// Passphrase returns a callback that gets the passphrase of the file at a path: from
// the file named here if there is one, and else from the terminal. It fits
// keys.LoadOptions.Passphrase.
func Passphrase(file string) func(path string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if file != "" {
			return ReadPassphraseFile(file)
		}
		p, err := ReadPassphrase("Passphrase for " + strconv.Quote(path) + ": ")
		return p, hint(err)
	}
}

// NewPassphrase gets the passphrase for a file that is to be written: from the file
// named here if there is one, and else from the terminal, twice.
func NewPassphrase(file string) ([]byte, error) {
	if file != "" {
		return ReadPassphraseFile(file)
	}
	p, err := ReadNewPassphrase()
	return p, hint(err)
}

func hint(err error) error {
	if errors.Is(err, ErrNoTerminal) {
		return fmt.Errorf("%w for the passphrase; use --passphrase-file FILE", err)
	}
	return err
}

// ReadPassphraseFile returns the one line that the file has, without its end. The
// file may be a pipe: then it waits for the other side. One that others than its
// owner can open (a bit of 077 in its mode) is refused, as a key file is. Windows
// has no such modes: there whoever can read the file's folder can read the file.
func ReadPassphraseFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer f.Close()
	if err := checkMode(path, f); err != nil {
		return nil, err
	}
	line, err := io.ReadAll(io.LimitReader(f, maxPassphrase+1))
	if err != nil {
		return nil, fileError(path, err)
	}
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = bytes.TrimSuffix(line[:n-1], []byte("\r"))
	}
	switch {
	case len(line) > maxPassphrase:
		return nil, fileError(path, fmt.Errorf("it has more than %d bytes", maxPassphrase))
	case len(line) == 0:
		return nil, fileError(path, errors.New("it is empty"))
	case bytes.ContainsAny(line, "\r\n"):
		return nil, fileError(path, errors.New("it has more than one line"))
	}
	return line, nil
}

// checkMode refuses a file that others can get the passphrase from, or a named pipe.
// What it looks at is the open file: the path may mean another a moment later.
func checkMode(path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fileError(path, err)
	}
	mode := info.Mode()
	if !hasModes || mode.Perm()&0o077 == 0 || !mode.IsRegular() && mode.Type() != fs.ModeNamedPipe {
		return nil
	}
	return fmt.Errorf("the passphrase file %s cannot be used: other users can get at it, its mode is %04o; run chmod 600 %s",
		strconv.Quote(path), mode.Perm(), shellPath(path))
}

// shellPath quotes a path for a command that people may copy.
func shellPath(path string) string {
	special := func(r rune) bool {
		return !strings.ContainsRune("./_-", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	switch {
	case strings.HasPrefix(path, "-"):
		return shellPath("./" + path)
	case strings.ContainsFunc(path, special):
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

func fileError(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("the passphrase file %s cannot be used: %w; give a file with the passphrase as its only line", strconv.Quote(path), err)
}
