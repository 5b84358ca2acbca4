package policy

import (
	"slices"
	"strings"
	"testing"
)

// rule is one house rule and the proof that it works.
type rule struct {
	name   string
	check  func(*tree) []finding
	proofs []proof
}

// proof is a small tree and where exactly the rule must find fault with it,
// sorted, as file:line. None means that the rule must pass it.
type proof struct {
	name string
	in   files
	want []string
}

var rules = slices.Concat(
	importRules,
	dependencyRules,
	docRules,
	packageRules,
	testRules,
	lengthRules,
	wordRules,
	pathRules,
)

// TestModule holds the whole module to every rule.
func TestModule(t *testing.T) {
	mod := readModule(t)
	if _, ok := mod.texts["internal/policy/doc.go"]; !ok {
		t.Fatal("internal/policy/doc.go was not read: the test looks at the wrong folder, and would pass whatever is in the module")
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range r.check(mod) {
				t.Errorf("%s: %s", f.at, f.say)
			}
		})
	}
}

// TestRules proves that each rule passes what is good and catches what is bad.
func TestRules(t *testing.T) {
	for _, r := range rules {
		var good, bad bool
		for _, p := range r.proofs {
			good = good || len(p.want) == 0
			bad = bad || len(p.want) > 0
			t.Run(r.name+"/"+p.name, func(t *testing.T) { prove(t, r, p) })
		}
		if !good || !bad {
			t.Errorf("rule %s: give it one proof that passes and one that is caught", r.name)
		}
	}
}

func prove(t *testing.T, r rule, p proof) {
	tr, err := newTree(p.in)
	if err != nil {
		t.Fatalf("the snippet does not parse: %v", err)
	}
	var got []string
	for _, f := range r.check(tr) {
		got = append(got, f.at)
		if len(strings.Fields(f.say)) < 5 {
			t.Errorf("%s: %q does not say what to do", f.at, f.say)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, p.want) {
		t.Errorf("found at %q, want %q", got, p.want)
	}
}
