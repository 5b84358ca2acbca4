package stranger

import (
	"errors"
	"unicode"
	"unicode/utf8"
)

// isNFC tells whether text is in normalization form C. The standard library
// cannot tell; the tests put golang.org/x/text in here.
var isNFC = func(string) bool { return true }

var errName = errors.New("stranger: bad name")

// checkName is the rule of section 2 for clients and groups.
func checkName(name string) error {
	if name == "." || name == ".." {
		return errName
	}
	return checkText(name, 64, `/\:*?"<>|`)
}

// checkChannel is the rule of section 2 for channels and streams.
func checkChannel(name string) error { return checkText(name, 128, "") }

func checkText(text string, most int, without string) error {
	if len(text) < 1 || len(text) > most || !utf8.ValidString(text) || !isNFC(text) {
		return errName
	}
	for _, r := range text {
		if r == 0x2800 || unicode.In(r, unicode.White_Space, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co,
			unicode.Noncharacter_Code_Point, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return errName
		}
		for _, w := range without {
			if r == w {
				return errName
			}
		}
	}
	return nil
}
