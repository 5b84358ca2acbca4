package extest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var root = filepath.Join("..", "..", "..")

// goBlock is a block of Go in README.md. The line before says, unseen by readers, which file it is a piece of.
var goBlock = regexp.MustCompile("(?m)^(?:<!-- from (\\S+) -->\n)?```go\n((?s:.*?))^```$")

// TestReadme keeps the README's Go from drifting away from code that is compiled and tested: each
// block is a verbatim piece of the file that it names, in which it may be indented.
func TestReadme(t *testing.T) {
	readme := read(t, "README.md")
	blocks := goBlock.FindAllStringSubmatch(readme, -1)
	assert.Len(t, blocks, strings.Count(readme, "```go\n"), "every block of Go is found")
	require.NotEmpty(t, blocks)
	for _, b := range blocks {
		file, code := b[1], b[2]
		if assert.NotEmpty(t, file, "this block says no file, by a line <!-- from FILE --> before it:\n%s", code) {
			source := read(t, file)
			assert.True(t, strings.Contains(source, code) || strings.Contains(source, indent(code)),
				"%s does not have this piece of README.md:\n%s", file, code)
		}
	}
}

// TestTwelveLines holds the samples to what PySock promised.
func TestTwelveLines(t *testing.T) {
	for _, file := range []string{"examples/echo-server/main.go", "examples/echo-client/main.go"} {
		_, rest, found := strings.Cut(read(t, file), "\nfunc main() {\n")
		body, _, ends := strings.Cut(rest, "\n}\n")
		require.True(t, found && ends, file)
		assert.LessOrEqual(t, strings.Count(body, "\n")+1, 12, file)
		assert.NotContains(t, body, ";", file)
	}
}

var link = regexp.MustCompile(`\]\(([\w./-]+)(?:#[^)]*)?\)`)

// TestLinks follows the links of the documents to other files of the tree.
func TestLinks(t *testing.T) {
	for _, doc := range []string{"README.md", "docs/architecture.md", "docs/security.md"} {
		for _, l := range link.FindAllStringSubmatch(read(t, doc), -1) {
			assert.FileExists(t, filepath.Join(root, filepath.Dir(doc), l[1]), doc)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	require.NoError(t, err)
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// indent puts a tab before each line, as in the body of a function.
func indent(code string) string {
	lines := strings.SplitAfter(code, "\n")
	for i, line := range lines {
		if strings.TrimSpace(line) != "" {
			lines[i] = "\t" + line
		}
	}
	return strings.Join(lines, "")
}
