package policy

import (
	"path"
	"slices"
	"strings"
)

var pathRules = []rule{
	{"paths", checkPaths, []proof{
		{"allowed", files{"docs/a-b_c.1.md": "", "testdata/script/a.txt": "", ".ci/run": ""}, nil},
		{"reserved on Windows", files{"testdata/nul.yaml": "", "com1/a.md": "", "a/Aux": ""},
			[]string{"a/Aux:1", "com1/a.md:1", "testdata/nul.yaml:1"}},
		{"characters", files{"a b.md": "", "ä.md": "", "a:b": "", "a.": ""}, []string{"a b.md:1", "a.:1", "a:b:1", "ä.md:1"}},
		{"only case differs", files{"a/B.md": "", "a/b.md": ""}, []string{"a/b.md:1"}},
	}},
}

// reservedNames are no file names on Windows, whatever comes after a dot. The go command refuses to make a module of a
// tree with one: nobody could install it.
var reservedNames = strings.Fields("con prn aux nul com0 com1 com2 com3 com4 com5 com6 com7 com8 com9 lpt0 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9")

// checkPaths holds file names to what every system, and the module cache, can have.
func checkPaths(t *tree) []finding {
	var out []finding
	seen := map[string]bool{}
	for _, name := range t.paths {
		for _, element := range strings.Split(name, "/") {
			base, _, _ := strings.Cut(strings.ToLower(element), ".")
			switch {
			case slices.Contains(reservedNames, base):
				out = append(out, finding{name + ":1", "the name is reserved on Windows: no module with it can be downloaded"})
			case strings.HasSuffix(element, ".") || strings.ContainsFunc(element, func(r rune) bool {
				return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.+", r))
			}):
				out = append(out, finding{name + ":1", "use letters, digits, - _ . + in file names"})
			}
		}
		if folded := strings.ToLower(path.Clean(name)); seen[folded] {
			out = append(out, finding{name + ":1", "another file differs only in case"})
		} else {
			seen[folded] = true
		}
	}
	return out
}
