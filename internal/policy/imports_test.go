package policy

import (
	"slices"
	"strconv"
	"strings"
)

// layer places a package, or with a trailing /... all packages below a folder,
// in the import DAG. What is not allowed is refused; a package may always
// import what is under its own internal folder. Test files are free.
type layer struct {
	path    string
	imports []string
	// standard refuses every module outside the standard library.
	standard bool
}

// layers is the import DAG of the design. No layer may import internal/memnet,
// internal/stranger or internal/policy: those are for tests.
var layers = []layer{
	{path: "internal/wire", standard: true},
	{path: "internal/flow", standard: true},
	{path: "internal/text", standard: true},
	{path: "internal/wakeup", standard: true},
	{path: "internal/memnet", standard: true},
	{path: "internal/policy", standard: true},
	{path: "internal/stranger"},
	{path: "internal/tutorial"},
	{path: "internal/parity"},
	{path: "internal/tty", imports: []string{"internal/text"}},

	{path: "keys"},
	{path: "secure", imports: []string{"keys"}},
	{path: "secure/internal/...", imports: []string{"secure/internal/..."}},
	{path: "channel", imports: []string{"keys"}},
	{path: "internal/link", imports: []string{"keys", "channel", "internal/wire", "internal/flow",
		"internal/wakeup"}},

	{path: "internal/resume", imports: []string{"internal/wire", "internal/wakeup"}},
	{path: "internal/durable", imports: []string{"channel", "internal/link", "internal/wire"}},
	{path: "internal/service", imports: []string{"channel"}},

	// Hello and welcome are wire's, and the sizes of Limits are flow's.
	{path: "client", imports: []string{"keys", "secure", "channel", "internal/link", "internal/resume", "internal/durable",
		"internal/service", "internal/text", "internal/wire"}},
	{path: "server", imports: []string{"keys", "secure", "channel", "internal/link", "internal/resume", "internal/service", "internal/text",
		"internal/wire", "internal/flow", "internal/wakeup"}},
	{path: "internal/testworld", imports: []string{"keys", "secure", "channel", "client", "server", "internal/wire"}},

	{path: "cmd/...", imports: []string{
		"keys", "secure", "channel", "client", "server", "internal/tty", "internal/text", "cmd/internal/...",
	}},
	{path: "examples/...", imports: []string{"keys", "secure", "channel", "client", "server", "examples/internal/..."}},
}

// refusedImports are packages that code outside tests has no business with, and why.
var refusedImports = map[string]string{
	"unsafe":       "memory safety is a promise; find a way without it",
	"math/rand":    "use crypto/rand for secrets and math/rand/v2 for the rest",
	"encoding/gob": "it is not made for input from strangers; use CBOR",
}

var importRules = []rule{
	{"import DAG", checkDAG, []proof{
		{"allowed", files{
			"secure/a.go": "package secure\nimport (\n\t_ \"crypto\"\n\t_ \"golang.org/x/crypto/hkdf\"\n\t_ \"github.com/pysock/pysock/keys\"\n\t_ \"github.com/pysock/pysock/secure/internal/noise\"\n)",
			"cmd/a/a.go":  "package main\nimport _ \"github.com/pysock/pysock/cmd/internal/cli\"\nimport _ \"github.com/pysock/pysock/server\"",
		}, nil},
		{"tests are free", files{"client/a_test.go": "package client_test\nimport _ \"github.com/pysock/pysock/server\""}, nil},
		{"other modules are free",
			files{"bench/go.mod": "module b", "bench/a.go": "package main\nimport _ \"github.com/pysock/pysock/internal/link\""}, nil},
		{"client imports server", files{"client/a.go": "package client\nimport _ \"github.com/pysock/pysock/server\""},
			[]string{"client/a.go:2"}},
		{"server imports client", files{"server/a.go": "package server\nimport _ \"github.com/pysock/pysock/client\""},
			[]string{"server/a.go:2"}},
		{"keys imports anything", files{"keys/a.go": "package keys\nimport _ \"github.com/pysock/pysock/internal/tty\""},
			[]string{"keys/a.go:2"}},
		{"link imports secure", files{"internal/link/a.go": "package link\n\nimport _ \"github.com/pysock/pysock/secure\""},
			[]string{"internal/link/a.go:3"}},
		{"wire leaves the standard library", files{"internal/wire/a.go": "package wire\nimport _ \"golang.org/x/text/unicode/norm\""},
			[]string{"internal/wire/a.go:2"}},
		{"the stranger knows us", files{"internal/stranger/a.go": "package stranger\nimport _ \"github.com/pysock/pysock/internal/wire\""},
			[]string{"internal/stranger/a.go:2"}},
		{"a root package is imported", files{"keys/a.go": "package keys\nimport _ \"github.com/pysock/pysock\""}, []string{"keys/a.go:2"}},
		{"code imports what is for tests", files{"server/a.go": "package server\nimport _ \"github.com/pysock/pysock/internal/memnet\""},
			[]string{"server/a.go:2"}},
		{"a package without a place", files{"internal/misc/a.go": "package misc"}, []string{"internal/misc/a.go:1"}},
	}},
	{"refused imports", checkRefused, []proof{
		{"the better choice", files{"keys/a.go": "package keys\nimport _ \"math/rand/v2\""}, nil},
		{"in a test", files{"keys/a_test.go": "package keys\nimport _ \"math/rand\"\nimport _ \"github.com/stretchr/testify/require\""},
			nil},
		{"standard library", files{"keys/a.go": "package keys\nimport (\n\t_ \"unsafe\"\n\t_ \"math/rand\"\n\t_ \"encoding/gob\"\n)"},
			[]string{"keys/a.go:3", "keys/a.go:4", "keys/a.go:5"}},
		{"test module in code", files{"keys/a.go": "package keys\nimport _ \"github.com/stretchr/testify/require\""},
			[]string{"keys/a.go:2"}},
	}},
}

func checkDAG(t *tree) []finding {
	var out []finding
	for _, pkg := range t.packages() {
		dir := pkg[0].dir
		l, ok := placeOf(dir)
		if !ok {
			out = append(out, pkg[0].found(pkg[0].file.Package,
				"package %s has no place in the import DAG: add it to layers in internal/policy/imports_test.go", dir))
			continue
		}
		for _, s := range pkg {
			if s.test {
				continue
			}
			for _, imp := range s.file.Imports {
				if say := l.refuses(dir, importPath(imp.Path.Value)); say != "" {
					out = append(out, s.found(imp.Pos(), "%s", say))
				}
			}
		}
	}
	return out
}

// refuses says why dir, which is in l, may not import what, or nothing.
func (l layer) refuses(dir, what string) string {
	own, ours := strings.CutPrefix(what, modulePath+"/")
	switch {
	case what == modulePath:
		return dir + " may not import the module's root package: import the package it stands for"
	case !ours && l.standard && !isStandard(what):
		return dir + " may import only the standard library, not " + what + ": move the code that needs it to a layer above"
	case !ours, strings.HasPrefix(own, dir+"/internal/"):
		return ""
	case slices.ContainsFunc(l.imports, func(pattern string) bool { return matches(pattern, own) }):
		return ""
	}
	return dir + " may not import " + own + " (the import DAG of the design): turn the dependency round, or change layers in internal/policy/imports_test.go with a reason in docs/design/"
}

func checkRefused(t *tree) []finding {
	var out []finding
	for _, s := range t.sources {
		if s.test {
			continue
		}
		for _, imp := range s.file.Imports {
			what := importPath(imp.Path.Value)
			if why, ok := refusedImports[what]; ok {
				out = append(out, s.found(imp.Pos(), "do not import %s: %s", what, why))
			}
			if isForTests(what) {
				out = append(out, s.found(imp.Pos(), "%s is a dependency of tests: do not import it from other code", what))
			}
		}
	}
	return out
}

// placeOf finds the layer of a package; an exact entry goes before a pattern.
func placeOf(dir string) (layer, bool) {
	i := slices.IndexFunc(layers, func(l layer) bool { return l.path == dir })
	if i < 0 {
		i = slices.IndexFunc(layers, func(l layer) bool { return matches(l.path, dir) })
	}
	if i < 0 {
		return layer{}, false
	}
	return layers[i], true
}

func matches(pattern, dir string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return strings.HasPrefix(dir, below+"/")
	}
	return pattern == dir
}

func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

func importPath(quoted string) string {
	p, err := strconv.Unquote(quoted)
	if err != nil {
		return quoted
	}
	return p
}
