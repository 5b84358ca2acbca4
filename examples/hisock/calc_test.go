package main

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEvaluate(t *testing.T) {
	for text, want := range map[string]float64{
		"12":                    12,
		" 1 + 2 * 3 ":           7,
		"(1+2)*3":               9,
		"2*3+4":                 10,
		"10-4-3":                3,
		"24/4/2":                3,
		"7/2":                   3.5,
		"-3*-(2+.5)":            7.5,
		"2--2":                  4,
		"+1":                    1,
		"0.1+0.2":               0.1 + func() float64 { return 0.2 }(), // in 64 bits, not as constants
		"0*5":                   0,
		"((((1))))":             1,
		strings.Repeat("9", 20): 99999999999999999999,
	} {
		v, err := evaluate(text)
		assert.NoError(t, err, text)
		assert.Equal(t, want, v, text)
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                             `a number is missing before ""`,
		"1+":                           `a number is missing before ""`,
		"(1":                           "a ) is missing",
		"1)":                           `")" is out of place`,
		"1 2":                          `"2" is out of place`,
		"2**3":                         `a number is missing before "*3"`,
		"1.2.3":                        `a number is missing before "1.2.3"`,
		"__import__('os')":             `a number is missing before "__import__('os')"`,
		"1e9":                          `"e9" is out of place`,
		"NaN":                          `a number is missing before "NaN"`,
		"\x1b[2J":                      `a number is missing before "\x1b[2J"`,
		"1\x00":                        `"\x00" is out of place`,
		"1\x1b":                        `"\x1b" is out of place`,
		"1/0":                          "division by zero",
		"1/(2-2)":                      "division by zero",
		"1/-0":                         "division by zero",
		strings.Repeat("0", 400):       "",
		strings.Repeat("9", 400):       "the result is too large",
		strings.Repeat("1", 401):       "an expression of 401 bytes, more than 400",
		strings.Repeat("(", 21):        "more than 20 parentheses or signs in one another",
		strings.Repeat("-", 20) + "1":  "more than 20 parentheses or signs in one another",
		huge + "*" + huge:              "the result is too large",
		"-" + huge + "*" + huge + "/2": "the result is too large",
	} {
		_, err := evaluate(text)
		if want == "" {
			assert.NoError(t, err, text)
			continue
		}
		assert.EqualError(t, err, want, text)
	}
}

// huge is a number whose square is too large.
var huge = strings.Repeat("9", 160)

func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{"1+2*3", "(1-2)/(3*4)", "--.5", "1/0", "((", "1 2", "\x00", "9999999999*9999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := evaluate(text)
		if err != nil {
			assert.NotContains(t, err.Error(), "\x1b")
			return
		}
		assert.False(t, math.IsInf(v, 0) || math.IsNaN(v), "%q is %v", text, v)
		// Parentheses change nothing, as long as they are not too many or too long.
		if w, err := evaluate("(" + text + ")"); err == nil {
			assert.Equal(t, v, w, text)
		} else {
			assert.Regexp(t, "^(an expression of|more than 20)", err.Error())
		}
	})
}
