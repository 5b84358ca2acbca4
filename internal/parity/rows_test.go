package parity_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// row is one of a table of docs/parity.md.
type row struct {
	section string
	there   string
	tests   []string
}

var span = regexp.MustCompile("`([^`]+)`")

// spans gives what stands in a text as code.
func spans(text string) (codes []string) {
	for _, m := range span.FindAllStringSubmatch(text, -1) {
		codes = append(codes, m[1])
	}
	return codes
}

// tableRows gives the cells of the tables in a text of Markdown, with the heading each is under. The tables' own heads are left out.
func tableRows(text string) (all []row, cells [][]string) {
	section, head := "", true
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = title
		}
		if !strings.HasPrefix(line, "|") {
			head = true
			continue
		}
		if rule := strings.Trim(line, "|-") == ""; rule || head {
			head = head && !rule
			continue
		}
		c := strings.Split(strings.Trim(line, "|"), " | ")
		all = append(all, row{section, c[0], spans(c[len(c)-1])})
		cells = append(cells, c)
	}
	return all, cells
}

var arguments = regexp.MustCompile(`\([^)]*\)|\[[^]]*\]`)

// verbs gives the names in a cell's code: of `@on(cmd)` "on", of `a / b(c)` "a" and "b".
func verbs(cell string) (names []string) {
	for _, code := range spans(cell) {
		code = strings.TrimPrefix(arguments.ReplaceAllString(code, ""), "PySock.")
		for _, name := range strings.FieldsFunc(code, func(r rune) bool { return r == ' ' || r == '/' || r == ',' }) {
			if name != "*" {
				name = strings.Trim(name, "*…@.")
			}
			if name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
	require.NoError(t, err)
	return string(text)
}

// TestRows holds docs/parity.md to the tests of this package: each row names one that there is, and each of them is named.
func TestRows(t *testing.T) {
	there := declared(t)
	rows, _ := tableRows(read(t, "docs/parity.md"))
	sections := map[string]int{}
	named := map[string]bool{}
	for _, r := range rows {
		sections[r.section]++
		if !assert.NotEmpty(t, r.tests, "%s has no test", r.there) {
			continue
		}
		for _, name := range r.tests {
			assert.Contains(t, there, name, "%s", r.there)
			assert.False(t, named[name], "%s is named twice", name)
			named[name] = true
			prefix := map[string]string{
				"PySock and shiSock": "TestPySock_", "HiSock": "TestHiSock_",
				"What PySock got wrong": "TestWrong_PySock_", "What HiSock got wrong": "TestWrong_HiSock_",
			}[r.section]
			assert.True(t, prefix != "" && strings.HasPrefix(name, prefix), "%s in %s", name, r.section)
		}
	}
	// As many as there are in the project's own list of what the ancestors do.
	assert.Equal(t, map[string]int{"PySock and shiSock": 16, "HiSock": 21, "What PySock got wrong": 12, "What HiSock got wrong": 13},
		sections)
	for name, comment := range there {
		if strings.Contains(name, "_") {
			assert.True(t, named[name], "docs/parity.md does not name %s", name)
		}
		assert.NotEmpty(t, comment, "%s quotes no row", name)
	}
}

// declared gives the tests of this package, with their comments.
func declared(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	tests := map[string]string{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
				tests[fn.Name.Name] = fn.Doc.Text()
			}
		}
	}
	return tests
}

// TestReadme holds the README's table for those who come from PySock or HiSock to docs/parity.md: each verb of theirs is found in its first column.
func TestReadme(t *testing.T) {
	_, table, found := strings.Cut(read(t, "README.md"), "\n## Coming from PySock or HiSock\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	_, cells := tableRows(table)
	require.NotEmpty(t, cells)
	ours := map[string]bool{}
	for _, c := range cells {
		assert.Len(t, c, 2, "%s", c)
		for _, v := range verbs(c[0]) {
			ours[v] = true
		}
	}
	rows, _ := tableRows(read(t, "docs/parity.md"))
	for _, r := range rows {
		if strings.HasPrefix(r.section, "What ") {
			continue
		}
		for _, v := range verbs(r.there) {
			assert.True(t, ours[v], "README.md's table does not have %q, of %s", v, r.there)
		}
	}
}

// TestVerbs shows what is looked for.
func TestVerbs(t *testing.T) {
	for cell, want := range map[string][]string{
		"`PySock.server(secure, file)`, `Sserver`":           {"server", "Sserver"},
		"`@on(cmd, threaded)` and `*`, `Threaded*`":          {"on", "*", "Threaded"},
		"`.SEND(a, b)`, `data[\"data\"]`, `secure=False`":    {"SEND", "data", "secure=False"},
		"`send_client / send_group`, `join leave`, examples": {"send_client", "send_group", "join", "leave"},
		"`Start/Close(name)`, `…_raw`":                       {"Start", "Close", "_raw"},
		"typecasting":                                        nil,
	} {
		require.Equal(t, want, verbs(cell), cell)
	}
}
