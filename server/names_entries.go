package server

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/pysock/pysock/keys"
)

// put adds the entry at the end. Nothing may be in its way. Call it with mu held.
func (n *Names) put(e *entry) {
	n.byName[e.name], n.byKey[e.key], n.byFold[e.fold] = e, e, e
	if n.path != "" {
		n.lines = append(n.lines, line{e.name + " " + e.key.String(), e})
	}
}

// remove takes the entry out if it is there; nil never is. Call it with mu held.
func (n *Names) remove(e *entry) {
	if e == nil || n.byName[e.name] != e {
		return
	}
	n.drop(e)
	n.lines = slices.DeleteFunc(n.lines, func(l line) bool { return l.entry == e })
	n.spoil()
}

// drop takes the entry out of everything but lines. Call it with mu held.
func (n *Names) drop(e *entry) {
	delete(n.byName, e.name)
	delete(n.byKey, e.key)
	delete(n.byFold, e.fold)
}

// sweep removes what has expired. Call it with mu held.
//
// That waits until the place is needed, so that a clock that is wrong for a while costs nobody a
// name on a server that is not full. It is done once a day, so that those who ask a full server for
// names do not make it search each time.
func (n *Names) sweep(today int) {
	if n.swept == today {
		return
	}
	n.swept = today
	before := len(n.byName)
	for _, e := range n.byName {
		if n.expired(e, today) {
			n.drop(e)
		}
	}
	if len(n.byName) < before {
		n.lines = slices.DeleteFunc(n.lines, func(l line) bool {
			return l.entry != nil && n.byName[l.entry.name] != l.entry
		})
		n.spoil()
	}
}

// expired reports whether others may have the entry's name.
func (n *Names) expired(e *entry, today int) bool { return n.expire >= 0 && today-e.seen > n.expire }

var (
	firstDay = int(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / int64(day/time.Second))
	lastDay  = int(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).Unix() / int64(day/time.Second))
)

// dayOf is the number of days from 1970 to the time's day in UTC, within the years that RFC 3339 can write.
func dayOf(t time.Time) int {
	y, m, d := t.UTC().Date()
	return min(max(int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/int64(day/time.Second)), firstDay), lastDay)
}

// appendDay appends the day as a date of RFC 3339.
func appendDay(b []byte, d int) []byte {
	return time.Unix(int64(d)*int64(day/time.Second), 0).UTC().AppendFormat(b, time.DateOnly)
}

// checkOpenName returns the name's fold, or why nobody may claim it.
func checkOpenName(name string) (string, error) {
	if err := keys.CheckClientName(name); err != nil {
		return "", err
	}
	fold := foldName(name)
	switch {
	case name[0] == '#':
		// It would be a comment in the file, and the name be given away again after a restart.
		return "", &keys.NameError{What: "name", Name: name, Reason: "starts with #; choose another"}
	case fold == keys.ServerName:
		return "", &keys.NameError{What: "name", Name: name, Reason: "looks like the server's own; choose another"}
	}
	return fold, nil
}

// foldName returns the same for names that look alike: it takes away the difference between upper
// and lower case, and between characters that Unicode calls compatible, such as full-width letters
// and ligatures.
func foldName(name string) string {
	return norm.NFKC.String(strings.Map(foldRune, norm.NFKC.String(name)))
}

// foldRune returns the one rune that stands for all those that differ by case: the lower-case one, where there is one.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return unicode.ToLower(least)
}
