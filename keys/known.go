package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrNotKnown is returned by Forget when there is nothing to forget.
var ErrNotKnown = errors.New("there is no remembered key of that name")

// Known is an entry of a file of known keys.
type Known struct {
	Name string    // the address of a server, the name of a peer
	Key  PublicKey // the key that it had when it was first met
	Line int       // the line in the file, counted from 1
}

// knownStore is a file of known keys. An entry is one line of words that one space
// separates: what identifies the entry, then the key. Lines that are empty or start
// with # are kept and ignored.
//
// It holds nothing but the path: the file is read each time, so that processes that
// share it see what the others remember, and is never seen half written.
type knownStore struct {
	path  string
	what  string                                    // for ChangedKeyError
	check func(words []string) (id string, _ error) // validates what comes before the key
}

// knownFile is the content of a file of known keys.
type knownFile struct {
	info    fs.FileInfo // nil if there is no file yet
	lines   []string
	entries map[string]Known // by id; Name is the id
}

func (s *knownStore) read() (*knownFile, error) {
	r, err := readRegular(s.path, "")
	if errors.Is(err, fs.ErrNotExist) {
		return &knownFile{}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := checkWritable(s.path, r.info); err != nil {
		return nil, err
	}
	k, err := s.parse(r.data)
	if err != nil {
		return nil, err
	}
	k.info = r.info
	return k, nil
}

// parse reads the content of a file. It is strict: a line that could mean something
// else than it seems to is an error, not a line to skip.
func (s *knownStore) parse(data []byte) (*knownFile, error) {
	k := &knownFile{entries: map[string]Known{}}
	if len(data) == 0 {
		return k, nil
	}
	fail := func(line int, format string, args ...any) (*knownFile, error) {
		return nil, &FileError{Path: s.path, Line: line, Err: fmt.Errorf(format, args...)}
	}
	if !utf8.Valid(data) {
		return fail(0, "this is not UTF-8 text; restore the file or remove it")
	}
	k.lines = strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i, text := range k.lines {
		if text == "" || text[0] == '#' {
			continue
		}
		words := strings.Split(text, " ")
		last := len(words) - 1
		id, err := s.check(words[:last])
		if err != nil {
			return fail(i+1, "%w", err)
		}
		key, err := ParsePublicKey(words[last])
		if err != nil {
			return fail(i+1, "%w", err)
		}
		if other, ok := k.entries[id]; ok {
			return fail(i+1, "%s is there already, in line %d; remove one of the two", quote(words[last-1]), other.Line)
		}
		k.entries[id] = Known{id, key, i + 1}
	}
	return k, nil
}

func (s *knownStore) lookup(id string) (Known, bool, error) {
	k, err := s.read()
	if err != nil {
		return Known{}, false, err
	}
	e, ok := k.entries[id]
	return e, ok, nil
}

// compare returns an error if the file has another key for the id.
func (s *knownStore) compare(k *knownFile, id, name string, key PublicKey) error {
	if e, ok := k.entries[id]; ok && e.Key != key {
		return &ChangedKeyError{What: s.what, Name: name, Known: e.Key, Offered: key, Path: s.path, Line: e.Line}
	}
	return nil
}

func (s *knownStore) remember(id, name string, key PublicKey) error {
	if key.IsZero() {
		return fmt.Errorf("%w: there is no key to remember", ErrInvalidKey)
	}
	// The common case, a key that is known already, needs no lock and no right to write.
	if k, err := s.read(); err != nil {
		return err
	} else if e, ok := k.entries[id]; ok && e.Key == key {
		return nil
	}
	return s.edit(func(k *knownFile) error {
		if err := s.compare(k, id, name, key); err != nil {
			return err
		}
		if _, ok := k.entries[id]; !ok {
			k.lines = append(k.lines, id+" "+key.String())
		}
		return nil
	})
}

func (s *knownStore) forget(id string) error {
	return s.edit(func(k *knownFile) error {
		e, ok := k.entries[id]
		if !ok {
			return ErrNotKnown
		}
		k.lines = slices.Delete(k.lines, e.Line-1, e.Line)
		return nil
	})
}

// edit changes the lines of the file under its lock.
func (s *knownStore) edit(change func(*knownFile) error) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return pathError(s.path, "cannot make the folder", err)
	}
	target, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		target = s.path
	}
	return withLock(target, func() error {
		k, err := s.read()
		if err != nil {
			return err
		}
		n := len(k.lines)
		if err := change(k); err != nil || len(k.lines) == n {
			return err
		}
		var out bytes.Buffer
		for _, line := range k.lines {
			out.WriteString(line + "\n")
		}
		if out.Len() > maxFile {
			return &FileError{Path: s.path,
				Err: errors.New("the file is full (1 MiB); remove lines that are no longer needed")}
		}
		return replaceFile(target, out.Bytes(), k.info)
	})
}
