package keys

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MaxName is the most bytes that a name may have.
	MaxName = 64
	// MaxChannel is the most bytes that a channel's name may have.
	MaxChannel = 128
	// ServerName is the name that no client and no peer may have, in any case of
	// its letters: it stands for the server itself wherever a sender is shown.
	ServerName = "server"
)

// NameError says why a name of a peer or a channel is refused.
type NameError struct {
	What   string // "name" or "channel name"
	Name   string // as it was given; not safe to print
	Reason string // what is wrong and what to do, safe to print
}

// Error returns one line in which the name is quoted and shortened.
func (e *NameError) Error() string {
	return fmt.Sprintf("the %s %s %s", e.What, quote(e.Name), e.Reason)
}

// NormalizeName returns s in Unicode normal form C if it is then a valid name, for
// text that a person typed. The error is a [*NameError].
func NormalizeName(s string) (string, error) {
	s = norm.NFC.String(s)
	if err := CheckName(s); err != nil {
		return "", err
	}
	return s, nil
}

// CheckName returns nil if s is a valid name of a peer, and a [*NameError] if not.
// A name has 1 to 64 bytes of UTF-8 in Unicode normal form C, without white space,
// control characters, bidirectional or other format characters, others that cannot be
// seen, and the characters / \ : * ? " < > | that mean something in a path. It is not "." or "..".
func CheckName(s string) error {
	const what = "name"
	if err := checkText(what, s, MaxName); err != nil {
		return err
	}
	if i := strings.IndexAny(s, `/\:*?"<>|`); i >= 0 {
		return &NameError{what, s, fmt.Sprintf("contains %q, which means something in paths; leave it out", s[i:i+1])}
	}
	if s == "." || s == ".." {
		return &NameError{what, s, "is a folder; choose another"}
	}
	return nil
}

// CheckClientName is [CheckName] for those who enter a server: it also refuses
// [ServerName].
func CheckClientName(s string) error {
	if err := CheckName(s); err != nil {
		return err
	}
	if strings.EqualFold(s, ServerName) {
		return &NameError{"name", s, "is the server's own; choose another"}
	}
	return nil
}

// CheckChannel returns nil if s is a valid name of a channel, and a [*NameError] if
// not: 1 to 128 bytes of UTF-8 in Unicode normal form C, without white space,
// control characters, bidirectional or other format characters, and others that cannot be
// seen.
func CheckChannel(s string) error { return checkText("channel name", s, MaxChannel) }

// invisible reports characters that show as nothing, or as what the reader's font decides: two
// names could look the same with them. The classes are such as Unicode never changes, so that
// programs of different ages agree; characters that are not assigned yet are let through.
func invisible(r rune) bool {
	const brailleBlank = 0x2800
	return r == brailleBlank || unicode.Is(unicode.Co, r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
			unicode.Noncharacter_Code_Point)
}

func checkText(what, s string, limit int) error {
	refuse := func(format string, args ...any) error {
		return &NameError{what, s, fmt.Sprintf(format, args...)}
	}
	switch {
	case s == "":
		return refuse("is empty; give it at least one character")
	case len(s) > limit:
		return refuse("has %d bytes; at most %d are allowed", len(s), limit)
	case !utf8.ValidString(s):
		return refuse("is not valid UTF-8")
	}
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Z, r):
			return refuse("contains white space (%U); leave it out", r)
		case unicode.IsControl(r):
			return refuse("contains a control character (%U); leave it out", r)
		case unicode.Is(unicode.Cf, r):
			return refuse("contains an invisible format character (%U); leave it out", r)
		case invisible(r):
			return refuse("contains a character that cannot be seen or told from others (%U); leave it out", r)
		}
	}
	if !norm.NFC.IsNormalString(s) {
		return refuse("is not in Unicode normal form C; write it as %+q", norm.NFC.String(s))
	}
	return nil
}
