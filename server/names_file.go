package server

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pysock/pysock/keys"
)

const (
	// maxNamesFile is the most bytes that the file may have.
	maxNamesFile = 16 << 20
	// namesEnd is the last line. Without it a file that was cut off between two lines would give names away.
	namesEnd = "# end"
)

// newNames is the start of a new file.
var newNames = []line{
	{text: "# The names of an open PySock server: NAME KEY LAST-SEEN, where KEY is whose name it is."},
	{text: "# Change this file only while the server is down. To release a name, remove its line; keep the last line."},
}

// line is a line of the file: a comment or nothing as it stands there, or of an entry all but the date.
type line struct {
	text  string
	entry *entry // nil for a comment
}

// appendNames appends the content of the file.
func appendNames(b []byte, lines []line) []byte {
	for _, l := range lines {
		b = append(b, l.text...)
		if l.entry != nil {
			b = appendDay(append(b, ' '), l.entry.seen)
		}
		b = append(b, '\n')
	}
	return append(b, namesEnd+"\n"...)
}

// parse takes the content of the file into an empty book. It is strict: a line that could mean
// something else than it seems to is an error. No error has a line's text in it, but for names,
// quoted: somebody may have pasted a private key.
func (n *Names) parse(data []byte) error {
	body, whole := bytes.CutSuffix(data, []byte(namesEnd+"\n"))
	switch {
	case !whole || len(body) > 0 && body[len(body)-1] != '\n':
		return n.fileError(0, fmt.Errorf("the file is cut off: its last line is not %q; restore it from a backup, or end it so if all names are there", namesEnd))
	case !utf8.Valid(body):
		return n.fileError(0, errors.New("this is not UTF-8 text; restore the file from a backup"))
	}
	at := map[*entry]int{}
	number := 0
	for text := range strings.Lines(string(body)) {
		number++
		text = strings.TrimSuffix(text, "\n")
		if text == namesEnd {
			return n.fileError(number, fmt.Errorf("%q is not the last line; remove it, or what comes after it",
				namesEnd))
		}
		if text == "" || text[0] == '#' {
			n.lines = append(n.lines, line{text: text})
			continue
		}
		e, err := parseName(text)
		if err != nil {
			return n.fileError(number, err)
		}
		for _, other := range []*entry{n.byName[e.name], n.byKey[e.key], n.byFold[e.fold]} {
			if other == nil {
				continue
			}
			what := "name looks like that"
			switch {
			case other.name == e.name:
				what = "name is that"
			case other.key == e.key:
				what = "key is that"
			}
			return n.fileError(number, fmt.Errorf("the %s of line %d; remove one of the two lines", what, at[other]))
		}
		n.put(e)
		at[e] = number
	}
	return nil
}

// parseName reads a line NAME KEY LAST-SEEN.
func parseName(text string) (*entry, error) {
	words := strings.Split(text, " ")
	if len(words) != 3 {
		return nil, errors.New("this is not a name; write NAME KEY LAST-SEEN with one space between them, or remove the line")
	}
	fold, err := checkOpenName(words[0])
	if err != nil {
		return nil, err
	}
	key, err := keys.ParsePublicKey(words[1])
	if err != nil {
		return nil, err
	}
	// Parse takes no other form than the one that is written.
	seen, err := time.Parse(time.DateOnly, words[2])
	if err != nil {
		return nil, errors.New("the date of the last visit is not one; write it as 2006-01-02")
	}
	return &entry{name: words[0], fold: fold, key: key, seen: dayOf(seen)}, nil
}
