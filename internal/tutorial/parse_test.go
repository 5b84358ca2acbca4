package tutorial

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A block is a piece of the document between fences, with what the comment before it says of it.
type block struct {
	line     int    // of the document
	file     string // what the block is written to
	terminal string // or where it is typed and seen
	lines    []string
}

// parse finds the blocks of a document. Each must have its comment, so that none goes untested.
func parse(text string) (blocks []block, err error) {
	var comment string
	var open *block
	for i, line := range strings.Split(text, "\n") {
		switch {
		case open != nil && line == "```":
			if open.file != "" || open.terminal != "" {
				blocks = append(blocks, *open)
			}
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		case strings.HasPrefix(line, "```"):
			open = &block{line: i + 1}
			switch {
			case strings.HasPrefix(comment, "file: "):
				open.file = strings.TrimPrefix(comment, "file: ")
			case strings.HasPrefix(comment, "terminal: "):
				open.terminal = strings.TrimPrefix(comment, "terminal: ")
			case comment != "once, with a network":
				return nil, fmt.Errorf("line %d: no comment says what the block is", i+1)
			}
			comment = ""
		case strings.HasPrefix(line, "<!-- ") && strings.HasSuffix(line, " -->"):
			comment = strings.TrimSuffix(strings.TrimPrefix(line, "<!-- "), " -->")
		default:
			comment = ""
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block does not end", open.line)
	}
	return blocks, nil
}

func TestParse(t *testing.T) {
	blocks, err := parse("a\n<!-- file: x/y.go -->\n```go\npackage y\n```\n<!-- terminal: t -->\n```console\n$ a\nb\n```\n<!-- once, with a network -->\n```\n$ c\n```\n")
	require.NoError(t, err)
	require.Equal(t, []block{
		{line: 3, file: "x/y.go", lines: []string{"package y"}},
		{line: 7, terminal: "t", lines: []string{"$ a", "b"}},
	}, blocks)
	for _, bad := range []string{"```\nx\n```\n", "<!-- file: x -->\n\n```\nx\n```\n", "<!-- file: x -->\n```\nx\n"} {
		_, err := parse(bad)
		require.Error(t, err)
	}
}

// document reads the tutorial, with another port in it.
func document(t *testing.T, port string) []block {
	t.Helper()
	text, err := os.ReadFile("../../docs/tutorial.md")
	require.NoError(t, err)
	blocks, err := parse(strings.ReplaceAll(string(text), "7700", port))
	require.NoError(t, err)
	return blocks
}
