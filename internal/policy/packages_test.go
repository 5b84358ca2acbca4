package policy

import (
	"go/ast"
	"go/doc"
	"slices"
	"strings"
)

// taughtLines is how long the package comment of a public package must be at least.
const taughtLines = 5

const fiveLines = "// Package keys is\n// one\n// two\n// three\n// four\npackage keys\n"

var packageRules = []rule{
	{"package comments", checkPackageComments, []proof{
		{"good", files{
			"keys/a.go":          fiveLines,
			"keys/b.go":          "package keys",
			"cmd/x/main.go":      "// X does it.\npackage main",
			"examples/x/main.go": "// X shows it.\npackage main",
			"internal/x/x.go":    "// Package x is small.\npackage x",
			"docs/x_test.go":     "package docs",
		}, nil},
		{"public, too short", files{"keys/a.go": strings.Replace(fiveLines, "// four\n", "//\n", 1)}, []string{"keys/a.go:6"}},
		{"command", files{"cmd/x/main.go": "package main"}, []string{"cmd/x/main.go:1"}},
		{"internal", files{"internal/x/x.go": "package x"}, []string{"internal/x/x.go:1"}},
	}},
	{"examples", checkExamples, []proof{
		{"good", files{
			"keys/a.go":            "package keys",
			"keys/example_test.go": "package keys_test\n\nfunc Example() {\n\t// Output: 1\n}",
			"internal/x/x.go":      "package x",
			"examples/x/main.go":   "package main",
		}, nil},
		{"none", files{"keys/a.go": "package keys"}, []string{"keys/a.go:1"}},
		{"one that does not run", files{
			"keys/a.go":            "package keys",
			"keys/example_test.go": "package keys_test\n\nfunc Example() {\n}",
		}, []string{"keys/a.go:1"}},
		{"one that is not a test", files{
			"keys/a.go": "package keys\n\nfunc Example() {\n\t// Output: 1\n}",
		}, []string{"keys/a.go:1"}},
	}},
}

func checkPackageComments(t *tree) []finding {
	var out []finding
	for _, pkg := range t.packages() {
		code := codeOf(pkg)
		if len(code) == 0 {
			continue
		}
		longest := slices.MaxFunc(code, func(a, b *source) int { return commentLines(a) - commentLines(b) })
		switch n := commentLines(longest); {
		case n == 0:
			out = append(out, longest.found(longest.file.Package, "package %s has no package comment: say what it is for", longest.dir))
		case n < taughtLines && isPublic(code):
			out = append(out, longest.found(longest.file.Package,
				"the comment of package %s has %d lines: teach the package in one screen (at least %d)", longest.dir, n, taughtLines))
		}
	}
	return out
}

func checkExamples(t *tree) []finding {
	var out []finding
	for _, pkg := range t.packages() {
		code := codeOf(pkg)
		if !isPublic(code) {
			continue
		}
		var tests []*ast.File
		for _, s := range pkg {
			if s.test {
				tests = append(tests, s.file)
			}
		}
		runs := func(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput }
		if !slices.ContainsFunc(doc.Examples(tests...), runs) {
			s := code[0]
			out = append(out, s.found(s.file.Package,
				"package %s has no example that runs: add example_test.go with an Example and its // Output:", s.dir))
		}
	}
	return out
}

// isPublic tells whether users can import the package.
func isPublic(code []*source) bool {
	if len(code) == 0 || code[0].file.Name.Name == "main" {
		return false
	}
	parts := strings.Split(code[0].dir, "/")
	return parts[0] != "examples" && !slices.Contains(parts, "internal")
}

func codeOf(pkg []*source) []*source {
	return slices.DeleteFunc(slices.Clone(pkg), func(s *source) bool { return s.test })
}

// commentLines counts the lines of s's package comment that say something.
func commentLines(s *source) int {
	n := 0
	for line := range strings.Lines(s.file.Doc.Text()) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	return n
}
