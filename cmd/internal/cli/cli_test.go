package cli

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOneLine(t *testing.T) {
	assert.Equal(t, "plain “text”", OneLine(errors.New("plain “text”")))
	assert.Equal(t, `"a\nb"`, OneLine(errors.New("a\nb")))
	assert.Equal(t, `"\x9b31mred"`, OneLine(errors.New("\x9b31mred")))
	assert.Equal(t, `"\x1b[31mred"`, OneLine(errors.New("\x1b[31mred")))
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "",
		"Hello, “World”! 🙂":    "Hello, “World”! 🙂",
		`say "hi"`:             `say "hi"`,
		"two\nlines\r\n":       `two\nlines\r\n`,
		"\x1b[2J\a":            `\x1b[2J\a`,
		"evil\u202etxt":        `evil\u202etxt`,
		`C:\new`:               `C:\\new`,
		"\\\"":                 `\\"`,
		"\xff\x00":             `\xff\x00`,
		"\ufffd":               "\ufffd",
		"a\u00a0b\u2028c\ttab": `a\u00a0b\u2028c\ttab`,
	} {
		assert.Equal(t, want, Escape([]byte(in)), "%q", in)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\x1b\xff\u202e", `\"`, `\\"`, "\ufffd"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := Escape(body)
		for _, r := range s {
			require.True(t, unicode.IsPrint(r), "%q", s)
		}
		back, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
		require.NoError(t, err)
		require.Equal(t, string(body), back)
	})
}
