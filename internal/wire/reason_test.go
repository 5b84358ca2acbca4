package wire

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReasonText has texts that do not go onto the wire as they are.
func TestReasonText(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"fits", strings.Repeat("a", 255), strings.Repeat("a", 255)},
		{"one too many", strings.Repeat("a", 256), strings.Repeat("a", 255)},
		{"two bytes at the end", strings.Repeat("a", 254) + "é", strings.Repeat("a", 254)},
		{"two bytes to the end", strings.Repeat("a", 253) + "éx", strings.Repeat("a", 253) + "é"},
		{"four bytes at the end", strings.Repeat("a", 252) + "\U0001f600", strings.Repeat("a", 252)},
		{"no shorter one after it", strings.Repeat("a", 254) + "éa", strings.Repeat("a", 254)},
		{"not UTF-8", "a\xffb", "a\ufffdb"},
		{"cut rune", "a\xc3", "a\ufffd"},
		{"replaced and then too long", strings.Repeat("\xff", 200), strings.Repeat("\ufffd", 85)},
		{"surrogate", "\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		{"replacement itself", "\ufffd", "\ufffd"},
		{"controls stay", "\x00\x1b[2J", "\x00\x1b[2J"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.True(t, utf8.ValidString(c.want))
			for _, typ := range []Type{TypeRefuse, TypeReset, TypeStop} {
				_, f, err := decode(AppendReason(nil, typ, 1, Reason{7, c.text}))
				require.NoError(t, err)
				assert.Equal(t, fields{Code: 7, Text: c.want}, f)
			}
			_, f, err := decode(ErrorBody{7, c.text}.Append(nil, 1))
			require.NoError(t, err)
			assert.Equal(t, fields{Code: 7, Text: c.want}, f)
		})
	}
}
