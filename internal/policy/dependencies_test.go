package policy

import (
	"fmt"
	"slices"
	"strings"
)

// dependency is a module that go.mod may require directly.
type dependency struct {
	path string
	// tests keeps it out of what users build: only test files may import it.
	tests bool
}

// dependencies are those that the design names. Each one is code that we
// answer for: a new one wants a reason in docs/design/.
var dependencies = []dependency{
	{path: "filippo.io/age"},
	{path: "github.com/fxamacker/cbor/v2"},
	{path: "golang.org/x/crypto"},
	{path: "golang.org/x/sys"},
	{path: "golang.org/x/term"},
	{path: "golang.org/x/text"},
	{path: "gopkg.in/yaml.v3"},

	{path: "github.com/flynn/noise", tests: true},
	{path: "github.com/rogpeppe/go-internal", tests: true},
	{path: "github.com/stretchr/testify", tests: true},
	{path: "go.uber.org/goleak", tests: true},
	{path: "golang.org/x/net", tests: true},
	{path: "pgregory.net/rapid", tests: true},
}

var dependencyRules = []rule{
	{"dependencies", checkDependencies, []proof{
		{"allowed", files{"go.mod": "module m\n\nrequire (\n\tfilippo.io/age v1.0.0\n\texample.org/x v1.0.0 // indirect\n)\nrequire gopkg.in/yaml.v3 v3.0.1\n"}, nil},
		{"other modules are free", files{"go.mod": "module m\n", "bench/go.mod": "module b\nrequire example.org/x v1.0.0\n"}, nil},
		{"not listed", files{"go.mod": "module m\n\nrequire (\n\tfilippo.io/age v1.0.0\n\texample.org/x v1.0.0\n)\n"},
			[]string{"go.mod:5"}},
		{"not listed, on one line", files{"go.mod": "module m\nrequire example.org/x v1.0.0 // a note\n"}, []string{"go.mod:2"}},
		{"replaced", files{"go.mod": "module m\nreplace filippo.io/age => ../age\n"}, []string{"go.mod:2"}},
		{"replaced in a block", files{"go.mod": "module m\nreplace (\n\tfilippo.io/age => ../age\n)\n"}, []string{"go.mod:3"}},
	}},
}

func checkDependencies(t *tree) []finding {
	var out []finding
	block := ""
	for i, line := range strings.Split(t.texts["go.mod"], "\n") {
		code, comment, _ := strings.Cut(line, "//")
		words := strings.Fields(code)
		if len(words) == 0 {
			continue
		}
		verb := block
		switch {
		case block != "" && words[0] == ")":
			block = ""
			continue
		case block == "" && len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		case block == "":
			verb, words = words[0], words[1:]
		}
		at := fmt.Sprintf("go.mod:%d", i+1)
		switch {
		case verb == "replace":
			out = append(out, finding{at, "remove the replace directive: with one, nobody can `go install` the commands"})
		case verb == "require" && strings.TrimSpace(comment) != "indirect" && !isDependency(words[0]):
			out = append(out, finding{at, words[0] + " is a new direct dependency: give the reason in docs/design/, then list it in internal/policy/dependencies_test.go"})
		}
	}
	return out
}

func isDependency(module string) bool {
	return slices.ContainsFunc(dependencies, func(d dependency) bool { return d.path == module })
}

// isForTests tells whether an imported package is of a module that only tests may use.
func isForTests(importPath string) bool {
	return slices.ContainsFunc(dependencies, func(d dependency) bool {
		return d.tests && (importPath == d.path || strings.HasPrefix(importPath, d.path+"/"))
	})
}
