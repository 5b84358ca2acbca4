// Package cli holds what the commands share: exit statuses, and how text that
// may come from outside is put on a terminal.
package cli

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Exit statuses, the same for all PySock commands.
const (
	ExitDone   = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// OneLine returns the text of an error for the terminal: as it is or, if it
// would steer the terminal or take more than a line, quoted.
func OneLine(err error) string {
	s := err.Error()
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// Escape makes one line of a body that can be shown: what does not print,
// white space other than a space, bytes that are not UTF-8, and the backslash
// become the escapes of a Go string: \n, \x1b, \u202e, \\. Everything else is
// as it was, so two different bodies never look the same.
func Escape(body []byte) string {
	s := string(body)
	if !strings.ContainsFunc(s, func(r rune) bool {
		return r == '\\' || r == unicode.ReplacementChar || !unicode.IsPrint(r)
	}) {
		return s
	}
	quoted := strconv.Quote(s)
	// Quote also escapes ", which needs none here. There, and only there, a backslash stands before it.
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
