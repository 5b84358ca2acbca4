package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// leftover finds the words that mark unfinished work. They are cut in two here
// so that a search of the tree for them finds nothing.
var leftover = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

var wordRules = []rule{
	{"leftover words", checkWords, []proof{
		{"clean", files{"keys/a.go": "package keys\n\n// XXhfs, todo lists and mktemp /tmp/a.XXXXXX are fine.",
			"internal/policy/a.md": "TO" + "DO"}, nil},
		{"go", files{"keys/a.go": "package keys\n\n// TO" + "DO(me): more"}, []string{"keys/a.go:3"}},
		{"markdown and shell", files{"docs/a.md": "a\nFIX" + "ME\n", "bench/run.sh": "# XX" + "X: slow\n"},
			[]string{"bench/run.sh:1", "docs/a.md:2"}},
	}},
}

func checkWords(t *tree) []finding {
	var out []finding
	for _, name := range slices.Sorted(maps.Keys(t.texts)) {
		if strings.HasPrefix(name, "internal/policy/") {
			continue
		}
		for i, line := range strings.Split(t.texts[name], "\n") {
			if word := leftover.FindString(line); word != "" {
				out = append(out, finding{fmt.Sprintf("%s:%d", name, i+1),
					fmt.Sprintf("%s marks unfinished work: do it, or file it as an issue", word)})
			}
		}
	}
	return out
}
